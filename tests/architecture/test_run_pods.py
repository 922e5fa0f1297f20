"""The pod of a run in a cluster, as Dagster's own launcher asks Kubernetes for it.

The launcher is configured by the rendered releases and talks to a server that keeps what it is
asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import kubernetes_validate
import pytest
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

from twd_local.stack.names import LOCATIONS

from ..json_server import JsonServer
from . import rendering
from .rendering import KUBERNETES, Document, of_kind, pods

if TYPE_CHECKING:
    from dagster_k8s import K8sRunLauncher


class KubernetesApi(JsonServer):
    """Keeps the jobs that are created."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[tuple[str, Document]] = []

    def on_post(self, path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        self.created.append((path, asked))
        return 201, asked


@pytest.fixture(scope="module")
def kubernetes_api() -> Iterator[KubernetesApi]:
    server = KubernetesApi()
    yield server
    server.close()


@pytest.fixture(scope="module")
def home(platform: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the instance's file, as it is mounted in the daemon's pod."""
    folder = tmp_path_factory.mktemp("home")
    for document in of_kind(platform, "ConfigMap"):
        if "dagster.yaml" in document["data"]:
            (folder / "dagster.yaml").write_text(document["data"]["dagster.yaml"])
    return folder


@pytest.fixture(scope="module")
def launcher(
    home: Path, kubernetes_api: KubernetesApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[K8sRunLauncher]:
    """The launcher that the instance's file names; only where Kubernetes is, it is told anew."""
    # Takes seconds, so not where there are no charts.
    from dagster_k8s import K8sRunLauncher

    kubeconfig = tmp_path_factory.mktemp("kube") / "config"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "clusters": [{"name": "test", "cluster": {"server": kubernetes_api.url}}],
                "users": [{"name": "test", "user": {}}],
            }
        )
    )
    data = InstanceRef.from_dir(str(home)).run_launcher_data
    assert data is not None
    config = yaml.safe_load(data.config_yaml)
    config |= {"load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
    launcher = data._replace(config_yaml=yaml.safe_dump(config)).rehydrate(K8sRunLauncher)
    with dg.DagsterInstance.local_temp() as instance:
        launcher.register_instance(instance)
        yield launcher


@pytest.fixture(params=LOCATIONS)
def job(
    request: pytest.FixtureRequest,
    locations: dict[str, list[Document]],
    launcher: K8sRunLauncher,
    kubernetes_api: KubernetesApi,
) -> Document:
    """The job that is made for a run of each location in turn."""
    [pod] = pods(locations[request.param])
    variables = {
        variable["name"]: variable.get("value") for variable in pod["spec"]["containers"][0]["env"]
    }
    # What a code server tells of itself, from these two variables.
    origin = JobPythonOrigin(
        job_name="some_job",
        repository_origin=RepositoryPythonOrigin(
            executable_path="python",
            code_pointer=ModuleCodePointer("some.module", "defs"),
            container_image=variables["DAGSTER_CURRENT_IMAGE"],
            container_context=json.loads(variables["DAGSTER_CLI_API_GRPC_CONTAINER_CONTEXT"]),
        ),
    )
    instance = launcher._instance
    run = instance.add_run(dg.DagsterRun(job_name="some_job", job_code_origin=origin))
    launcher.launch_run(LaunchRunContext(run, workspace=None))
    path, created = kubernetes_api.created[-1]
    assert path == f"/apis/batch/v1/namespaces/{rendering.NAMESPACE}/jobs"
    return created


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_the_job(job: Document, version: str) -> None:
    kubernetes_validate.validate(job, version, strict=True)


def test_a_run_has_the_image_settings_and_secrets_of_its_code_server(
    job: Document, locations: dict[str, list[Document]]
) -> None:
    container = _container(job)
    [name] = [name for name in LOCATIONS if f"/twd-{name}:" in container["image"]]
    [pod] = pods(locations[name])
    [server] = pod["spec"]["containers"]
    assert container["image"] == server["image"]
    assert container["resources"] == server["resources"]
    sources = [source for source in container["envFrom"] if source in server["envFrom"]]
    assert {"configMapRef": {"name": "twd-settings"}} in sources
    assert {"secretRef": {"name": "twd-secrets"}} in sources


def test_a_run_is_without_rights_and_writes_to_its_own_folder_alone(job: Document) -> None:
    spec = job["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    security = _container(job)["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "tmp", "mountPath": "/tmp"} in _container(job)["volumeMounts"]  # noqa: S108
    assert {"name": "tmp", "emptyDir": {}} in spec["volumes"]


def test_a_drain_waits_for_every_run(job: Document, platform: list[Document], home: Path) -> None:
    [budget] = of_kind(platform, "PodDisruptionBudget")
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    instance = yaml.safe_load((home / "dagster.yaml").read_text())
    at_once = instance["run_coordinator"]["config"]["max_concurrent_runs"]
    assert budget["spec"]["minAvailable"] > at_once


def test_no_password_is_in_the_job(job: Document) -> None:
    for variable in _container(job)["env"]:
        if "PASSWORD" in variable["name"]:
            assert variable["valueFrom"]["secretKeyRef"]["name"] == "twd-postgresql"


def _container(job: Document) -> Document:
    [container] = job["spec"]["template"]["spec"]["containers"]
    return container
