"""What a cluster gets: the four releases, rendered by Helm from Dagster's charts and our values.

They need the charts, which are not ours: deploy/helm/README.md says how to get them.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from twd_local.deploy import cluster
from twd_local.stack.names import LOCATIONS

from . import rendering
from .rendering import KUBERNETES, Document, of_kind, pods

SECRETS = {"twd-secrets", "twd-postgresql"}


@pytest.fixture(scope="module")
def everything(
    platform: list[Document], locations: dict[str, list[Document]]
) -> list[tuple[str, Document]]:
    releases = {rendering.NAMESPACE: platform, **locations}
    return [(release, document) for release in releases for document in releases[release]]


@pytest.fixture(scope="module")
def file_of(platform: list[Document]) -> Any:
    """The YAML file of a name in one of the platform's ConfigMaps."""
    data: dict[str, str] = {}
    for document in of_kind(platform, "ConfigMap"):
        data |= document["data"]
    return functools.cache(lambda name: yaml.safe_load(data[name]))


def test_the_charts_are_of_the_version_that_is_deployed(chart: Path) -> None:
    assert rendering.version(chart) == cluster.CHART_VERSION


@pytest.mark.parametrize(
    "mistake",
    ["dagsterWebserver.replicaCount=two", "dagsterDaemon.runRetries.enabled=maybe"],
)
def test_the_charts_schema_refuses_a_wrong_value(chart: Path, mistake: str) -> None:
    refused = rendering.template("dagster", chart, "values-platform.yaml", mistake)
    assert refused.returncode != 0
    assert mistake.rpartition(".")[0].replace(".", "/") in refused.stderr.replace(".", "/")


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_document(
    everything: list[tuple[str, Document]], version: str
) -> None:
    for release, document in everything:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{release}: {document['kind']} {document['metadata']['name']}: {error}")


def test_no_two_releases_bring_the_same_object(everything: list[tuple[str, Document]]) -> None:
    objects = [(document["kind"], document["metadata"]["name"]) for _, document in everything]
    assert sorted(set(objects)) == sorted(objects)


def test_no_server_of_others_is_brought_along(everything: list[tuple[str, Document]]) -> None:
    kinds = {document["kind"] for _, document in everything}
    assert kinds.isdisjoint({"StatefulSet", "Secret", "PersistentVolumeClaim"})
    assert sorted(image for _, document in everything for image in _images([document])) == sorted(
        [f"registry.example.internal/twd-{name}:{rendering.TAG}" for name in LOCATIONS]
        + 2 * [f"registry.example.internal/twd-host:{rendering.TAG}"]
    )


def test_the_platform_has_no_code_of_ours(platform: list[Document]) -> None:
    deployments = of_kind(platform, "Deployment")
    assert {deployment["metadata"]["name"] for deployment in deployments} == {
        "dagster-dagster-webserver",
        "dagster-daemon",
    }
    assert _images(platform) == 2 * [f"registry.example.internal/twd-host:{rendering.TAG}"]


@pytest.mark.parametrize("name", LOCATIONS)
def test_a_location_is_one_deployment_of_its_own_code(
    locations: dict[str, list[Document]], name: str
) -> None:
    [deployment] = of_kind(locations[name], "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.internal/twd-{name}:{rendering.TAG}"
    assert " ".join(container["args"]).startswith("dagster api grpc -h 0.0.0.0 -p 4000")
    assert f"-m twd_{name}.definitions --location-name {name}" in " ".join(container["args"])
    assert [source["configMapRef"]["name"] for source in container["envFrom"] if _plain(source)][
        -1
    ] == "twd-settings"
    assert deployment["metadata"]["name"] == f"twd-{name}-dagster-user-deployments-{name}"


@pytest.mark.parametrize("name", LOCATIONS)
def test_a_location_has_two_servers_that_say_they_are_the_same(
    chart: Path, locations: dict[str, list[Document]], name: str
) -> None:
    if "replicaCount" not in rendering.user_deployments(chart).joinpath("values.yaml").read_text():
        pytest.skip(f"Dagster's chart {rendering.version(chart)} has one server a location.")
    [deployment] = of_kind(locations[name], "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["spec"]["replicas"] == 2
    assert "--fixed-server-id" in container["args"]


def test_the_workspace_lists_the_services_of_the_locations(
    file_of: Any, locations: dict[str, list[Document]]
) -> None:
    listed = {
        server["location_name"]: (server["host"], server["port"])
        for server in (entry["grpc_server"] for entry in file_of("workspace.yaml")["load_from"])
    }
    served = {}
    for name, documents in locations.items():
        [service] = of_kind(documents, "Service")
        [port] = service["spec"]["ports"]
        served[name] = (service["metadata"]["name"], port["port"])
        [pod] = pods(documents)
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert listed == served


def test_the_instance_is_that_of_one_machine_but_for_its_place(file_of: Any) -> None:
    instance = file_of("dagster.yaml")
    machine = yaml.safe_load((rendering.ROOT / "dagster.yaml").read_text())
    for name in machine.keys() - {"storage", "run_launcher", "run_coordinator", "compute_logs"}:
        if name != "local_artifact_storage":
            assert instance[name].items() >= machine[name].items(), name
    coordinator, of_machine = instance["run_coordinator"], machine["run_coordinator"]
    limit = {"max_concurrent_runs": coordinator["config"]["max_concurrent_runs"]}
    assert coordinator == of_machine | {"config": of_machine["config"] | limit}


def test_the_instance_is_the_one_database(file_of: Any) -> None:
    instance = file_of("dagster.yaml")
    for storage in ("run_storage", "event_log_storage", "schedule_storage"):
        database = instance[storage]["config"]["postgres_db"]
        assert database["password"] == {"env": "DAGSTER_PG_PASSWORD"}
        assert database["hostname"] == "postgresql.example.internal"


def test_secrets_are_named_and_never_written_out(everything: list[tuple[str, Document]]) -> None:
    for release, document in everything:
        for container in _containers([document]):
            for variable in container.get("env", []):
                secret = variable.get("valueFrom", {}).get("secretKeyRef")
                assert secret or "PASSWORD" not in variable["name"], (release, variable["name"])
                assert not secret or secret["name"] in SECRETS
            # The chart's own for Celery, which is not used: it need not be there.
            named = [source["secretRef"] for source in container["envFrom"] if not _plain(source)]
            assert {ref["name"] for ref in named if not ref.get("optional")} <= SECRETS


def test_every_pod_is_bounded_watched_and_without_rights(
    everything: list[tuple[str, Document]],
) -> None:
    for release, document in everything:
        for pod in pods([document]):
            spec = pod["spec"]
            assert spec["securityContext"]["runAsNonRoot"] is True, release
            assert spec["securityContext"]["runAsUser"] == 10001
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert not spec.get("initContainers")
            [container] = spec["containers"]
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
            assert container["livenessProbe"]
            assert container["startupProbe"]
            assert container.get("readinessProbe") or release == rendering.NAMESPACE


def test_only_the_platform_may_start_pods(
    platform: list[Document], locations: dict[str, list[Document]]
) -> None:
    assert len(of_kind(platform, "RoleBinding")) == 1
    assert [of_kind(documents, "Role") for documents in locations.values()] == [[], [], []]


@pytest.mark.parametrize("name", LOCATIONS)
def test_a_drain_takes_the_servers_of_a_location_one_by_one(
    locations: dict[str, list[Document]], name: str
) -> None:
    [budget] = of_kind(locations[name], "PodDisruptionBudget")
    [pod] = pods(locations[name])
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def _plain(source: dict[str, Any]) -> bool:
    return "configMapRef" in source


def _containers(documents: list[Document]) -> list[Document]:
    return [container for pod in pods(documents) for container in pod["spec"]["containers"]]


def _images(documents: list[Document]) -> list[str]:
    return [container["image"] for container in _containers(documents)]
