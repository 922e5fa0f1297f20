"""One set of locations, one set of variables, one set of versions, wherever they are written.

The set of locations is the set of folders under locations/. The set of variables is
twd_shared.settings.VARIABLES.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from twd_local.deploy.cluster import helm_command
from twd_local.deploy.compose import (
    COMPOSE_FOLDER,
    build_command,
    image_tag,
    replace_command,
    tag_variable,
    trial_command,
)
from twd_local.stack import names
from twd_local.stack.environment import compose_environment
from twd_local.stack.home import Home
from twd_local.stack.ports import USUAL_PORTS
from twd_shared import contract, settings
from twd_shared.metrics.__main__ import DEFAULT_PORT
from twd_shared.run_logs import FORMAT_VARIABLE

ROOT = Path(__file__).parents[2]
LOCATIONS = {path.parent.name for path in ROOT.glob("locations/*/pyproject.toml")}
HELM = ROOT / "deploy/helm"

# Read by dagster.yaml alone. A cluster has values-platform.yaml instead of it.
_OF_DAGSTER_YAML = {
    settings.MAX_CONCURRENT_RUNS.name,
    settings.COMPUTE_LOG_DIR.name,
    settings.ARTIFACT_DIR.name,
}
# Dagster's own, given everywhere.
_SETTLE = "DAGSTER_AUTOMATION_TICK_SETTLE_SECONDS"
# Dagster's own too: containers write JSON. On one machine people read the logs.
_OF_CONTAINERS = {FORMAT_VARIABLE, _SETTLE}
_VARIABLES = {variable.name: variable for variable in settings.VARIABLES}
_SECRETS = {name for name, variable in _VARIABLES.items() if variable.secret}


def _yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return _yaml("deploy/compose/compose.yaml")


@pytest.fixture(scope="module")
def makefile() -> str:
    return (ROOT / "Makefile").read_text()


# --- locations ------------------------------------------------------------------------------


def test_contract_and_stack_name_every_location() -> None:
    assert set(contract.LOCATIONS) == LOCATIONS
    assert set(names.LOCATIONS) == LOCATIONS
    assert set(USUAL_PORTS) >= LOCATIONS


def test_workspace_serves_every_location_at_its_own_variables() -> None:
    servers = [entry["grpc_server"] for entry in _yaml("workspace.yaml")["load_from"]]
    assert {server["location_name"] for server in servers} == LOCATIONS
    for server in servers:
        prefix = f"TWD_{server['location_name'].upper()}"
        assert server["host"] == {"env": f"{prefix}_HOST"}
        assert server["port"] == {"env": f"{prefix}_PORT"}


def test_dg_knows_every_location() -> None:
    projects = tomllib.loads((ROOT / "dg.toml").read_text())["workspace"]["projects"]
    assert {project["path"] for project in projects} == {f"locations/{name}" for name in LOCATIONS}


def test_tools_know_every_package() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    packages = {f"twd_{name}" for name in LOCATIONS}
    assert set(tool["importlinter"]["root_packages"]) >= packages
    assert set(tool["ruff"]["lint"]["isort"]["known-first-party"]) >= packages
    assert set(tool["pyright"]["extraPaths"]) >= {f"locations/{name}/src" for name in LOCATIONS}


def test_makefile_names_and_deploys_every_location(makefile: str) -> None:
    listed = re.search(r"^LOCATIONS := (.+)$", makefile, re.MULTILINE)
    assert listed is not None
    assert set(listed[1].split()) == LOCATIONS
    assert set(re.findall(r"^deploy-([a-z]+):", makefile, re.MULTILINE)) == LOCATIONS


def test_compose_serves_every_location_from_its_own_image(compose: dict[str, Any]) -> None:
    services = compose["services"]
    servers = {name for name in services if "grpc-health-check" in str(services[name])}
    assert servers == LOCATIONS
    for name in LOCATIONS:
        assert services[name]["build"]["dockerfile"] == f"locations/{name}/Dockerfile"
        assert services[name]["image"].startswith(f"twd-{name}:$")


@pytest.mark.parametrize("host", ["webserver", "daemon"])
def test_compose_tells_the_host_processes_where_every_location_is(
    compose: dict[str, Any], host: str
) -> None:
    environment = compose["services"][host]["environment"]
    for name in LOCATIONS:
        assert environment[f"TWD_{name.upper()}_HOST"] == name
        assert environment[f"TWD_{name.upper()}_PORT"] == _port_of_image(name)


@pytest.mark.parametrize("location", sorted(LOCATIONS))
def test_an_image_serves_its_own_location_and_holds_no_stand_in(location: str) -> None:
    dockerfile = (ROOT / "locations" / location / "Dockerfile").read_text()
    assert f'"-m", "twd_{location}.definitions", "--location-name", "{location}"' in dockerfile
    assert "twd_local" not in dockerfile
    assert "\nUSER 10001\n" in dockerfile
    others = LOCATIONS - {location}
    assert not re.search(rf"\b(twd[_-])?({'|'.join(sorted(others))})\b", dockerfile)


def test_what_images_copy_exists() -> None:
    dockerfiles = [*ROOT.glob("locations/*/Dockerfile"), ROOT / "deploy/compose/host.Dockerfile"]
    copies = [
        source
        for dockerfile in dockerfiles
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile.read_text(), re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert len(dockerfiles) == len(LOCATIONS) + 1
    # What the tag of an image does not see: it is made of the files that plain lines copy.
    unseen = re.compile(r"^ADD |--mount|^COPY (?!--from).*(\\|\*|--)", re.MULTILINE)
    assert not any(unseen.search(dockerfile.read_text()) for dockerfile in dockerfiles)
    assert [source for source in copies if not (ROOT / source).exists()] == []


def test_images_install_nothing_that_is_not_pinned_by_its_hash() -> None:
    for dockerfile in (
        *ROOT.glob("locations/*/Dockerfile"),
        ROOT / "deploy/compose/host.Dockerfile",
    ):
        installs = re.findall(r"pip install ((?:\\\n|.)+)", dockerfile.read_text())
        assert len(installs) == 3
        # Our own packages are built from what was copied, by the backend that uv brings along.
        assert all("--require-hashes" in one or "--offline" in one for one in installs)


@pytest.mark.parametrize("location", sorted(LOCATIONS))
def test_a_cluster_has_a_release_of_its_own_for_every_location(location: str) -> None:
    values = yaml.safe_load((HELM / f"values-{location}.yaml").read_text())
    [deployment] = values["deployments"]
    assert deployment["name"] == location
    assert deployment["dagsterApiGrpcArgs"] == [
        *("-m", f"twd_{location}.definitions", "--location-name", location)
    ]
    assert deployment["image"]["repository"].endswith(f"/twd-{location}")
    assert "tag" not in deployment["image"], "the tag is given at each deploy"
    assert deployment["podSecurityContext"]["runAsUser"] == 10001


def test_a_cluster_lists_every_location_where_it_serves() -> None:
    values = yaml.safe_load((HELM / "values-platform.yaml").read_text())
    servers = values["dagsterWebserver"]["workspace"]["servers"]
    assert {server["name"]: (server["host"], server["port"]) for server in servers} == {
        name: (name, int(_port_of_image(name))) for name in LOCATIONS
    }
    assert values["dagster-user-deployments"]["enableSubchart"] is False


@pytest.mark.parametrize("location", sorted(LOCATIONS))
def test_deploy_commands_name_what_is_there(compose: dict[str, Any], location: str) -> None:
    assert replace_command(location)[-1] in compose["services"]
    assert replace_command(location)[3:-1] == ["-d", "--no-build", "--no-deps", "--wait"]
    assert all(location in command(location) for command in (build_command, trial_command))
    assert (ROOT / COMPOSE_FOLDER / "compose.yaml").is_file()
    assert f"${{{tag_variable(location)}:-" in compose["services"][location]["image"]
    assert re.fullmatch("[0-9a-f]{16}", image_tag(ROOT, location))
    command = helm_command(location, {"TWD_IMAGE_TAG": "abc"})
    assert (ROOT / command[command.index("--values") + 1]).is_file()
    assert "deployments[0].image.tag=abc" in command


# --- variables ------------------------------------------------------------------------------


def test_env_example_lists_every_variable_with_its_purpose_and_default() -> None:
    text = (ROOT / ".env.example").read_text()
    listed = set(re.findall(r"^# ([A-Z_]+)=", text, re.MULTILINE))
    stack_only = {"TWD_HOME", "TWD_PORTS"}
    assert listed - stack_only == set(_VARIABLES)
    for name, variable in _VARIABLES.items():
        assert f"\n# {variable.purpose}.\n# {name}={variable.default or ''}\n" in text, name


@pytest.mark.parametrize("service", sorted(LOCATIONS))
def test_compose_gives_code_servers_every_variable(compose: dict[str, Any], service: str) -> None:
    given = compose["services"][service]
    assert set(given["environment"]) == set(_VARIABLES) - _SECRETS | _OF_CONTAINERS
    assert set(given["secrets"]) == _SECRETS


def test_compose_has_the_defaults_of_the_code_except_for_addresses(compose: dict[str, Any]) -> None:
    environment = compose["services"]["schema"]["environment"]
    addresses = {"TWD_API_URL", "QDRANT_URL", "OLLAMA_BASE_URL"}
    for name, variable in _VARIABLES.items():
        if variable.default is not None and name not in addresses | _SECRETS:
            assert environment[name] == f"${{{name}:-{variable.default}}}"


def test_a_cluster_has_every_variable_in_settings_or_secrets() -> None:
    settings_map = yaml.safe_load((HELM / "settings.yaml").read_text())
    secret_lines = (HELM / "secrets.env.example").read_text().splitlines()
    plain = set(_VARIABLES) - _SECRETS - _OF_DAGSTER_YAML
    assert set(settings_map["data"]) == plain | _OF_CONTAINERS
    assert {line.partition("=")[0] for line in secret_lines} == _SECRETS
    for location in LOCATIONS:
        [deployment] = yaml.safe_load((HELM / f"values-{location}.yaml").read_text())["deployments"]
        assert deployment["envConfigMaps"] == [{"name": settings_map["metadata"]["name"]}]
        assert deployment["envSecrets"] == [{"name": "twd-secrets"}]


def test_ticks_wait_everywhere_for_events_that_are_still_being_written(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    home = Home(tmp_path)
    home.create()
    in_cluster = yaml.safe_load((HELM / "settings.yaml").read_text())["data"]
    in_containers = compose["services"]["schema"]["environment"]
    for environment in (in_cluster, in_containers, compose_environment(home, {}, USUAL_PORTS)):
        assert float(environment[_SETTLE]) > 0


def test_dagster_yaml_reads_declared_variables_only() -> None:
    read = set(re.findall(r"env: (\w+)", (ROOT / "dagster.yaml").read_text()))
    assert read == _OF_DAGSTER_YAML | {settings.METADATA_DSN.name}


# --- versions and form ----------------------------------------------------------------------


def test_environments_agree_on_the_version_of_every_package_they_share() -> None:
    files = [
        *ROOT.glob("locations/*/requirements.txt"),
        *ROOT.glob("deploy/*/*requirements.txt"),
    ]
    # A package may have one version for each version of Python.
    versions: dict[str, set[frozenset[str]]] = {}
    for file in files:
        pinned: dict[str, set[str]] = {}
        for package, version in re.findall(
            r"^([\w.-]+)==([^\s;]+)", file.read_text(), re.MULTILINE
        ):
            pinned.setdefault(package, set()).add(version)
        for package, found in pinned.items():
            versions.setdefault(package, set()).add(frozenset(found))
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}
    assert len(versions["dagster"]) == 1


def test_compose_runs_the_qdrant_that_the_client_is_made_for(compose: dict[str, Any]) -> None:
    requirements = (ROOT / "locations/schema/requirements.txt").read_text()
    client = re.search(r"^qdrant-client==(\d+\.\d+)", requirements, re.MULTILINE)
    assert client is not None
    assert f":v{client[1]}." in compose["services"]["qdrant"]["image"]


def test_compose_publishes_on_this_machine_only(compose: dict[str, Any]) -> None:
    published = {
        name: service["ports"]
        for name, service in compose["services"].items()
        if "ports" in service
    }
    assert published == {
        "webserver": ["127.0.0.1:${TWD_UI_PORT:-3000}:3000"],
        "metrics": ["127.0.0.1:${TWD_METRICS_PORT:-9464}:9464"],
    }


def test_metrics_are_served_on_one_port_by_the_schema_image(compose: dict[str, Any]) -> None:
    assert USUAL_PORTS["metrics"] == DEFAULT_PORT
    service, schema = compose["services"]["metrics"], compose["services"]["schema"]
    assert service["image"] == schema["image"]
    assert service["command"][-1] == str(DEFAULT_PORT)
    assert service["environment"].items() <= schema["environment"].items()
    deployment, of_cluster = yaml.safe_load_all((HELM / "metrics.yaml").read_text())
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["command"] == [*service["command"]]
    assert container["image"].rpartition(":")[0].endswith("/twd-schema")
    assert [port["port"] for port in of_cluster["spec"]["ports"]] == [DEFAULT_PORT]
    assert {item["name"] for item in container["env"]} <= _SECRETS


def test_containers_and_a_cluster_write_the_same_lines() -> None:
    of_containers = _yaml("deploy/compose/python-logs.yaml")["python_logs"]
    of_cluster = yaml.safe_load((HELM / "values-platform.yaml").read_text())["pythonLogs"]
    assert of_cluster["dagsterHandlerConfig"] == of_containers["dagster_handler_config"]
    [handler] = of_containers["dagster_handler_config"]["handlers"].values()
    module, _, function = handler["()"].rpartition(".")
    assert hasattr(importlib.import_module(module), function)
    assert "python_logs" not in _yaml("dagster.yaml")


@pytest.mark.parametrize("file", ["compose.yaml", "compose.docker-runs.yaml"])
def test_compose_files_follow_the_published_schema(file: str) -> None:
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
            str(ROOT / "deploy/compose" / file),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _port_of_image(location: str) -> str:
    exposed = re.search(
        r"^EXPOSE (\d+)$", (ROOT / "locations" / location / "Dockerfile").read_text(), re.MULTILINE
    )
    assert exposed is not None
    return exposed[1]
