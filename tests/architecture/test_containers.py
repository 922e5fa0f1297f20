"""What deploy/compose promises of every container: bounds, no rights, secrets from files."""

from __future__ import annotations

import fnmatch
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from twd_local.deploy.compose import trial_command
from twd_local.stack.names import LOCATIONS
from twd_shared import settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
# They do one thing and end.
ONCE = {"migrate", "ollama-models"}
SECRETS = {variable.name for variable in settings.VARIABLES if variable.secret}
DOCKERFILES = [*ROOT.glob("locations/*/Dockerfile"), FOLDER / "host.Dockerfile"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_is_bounded_and_without_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]  # noqa: S108
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONCE))
def test_a_server_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_only_ollama_is_root() -> None:
    ours = {name for name, service in SERVICES.items() if service["image"].startswith("twd-")}
    assert ours == {*LOCATIONS, "migrate", "metrics", "webserver", "daemon"}
    assert all("\nUSER 10001\n" in dockerfile.read_text() for dockerfile in DOCKERFILES)
    assert SERVICES["postgres"]["user"] == "postgres"
    assert "-unprivileged}" in SERVICES["qdrant"]["image"]
    assert SERVICES.keys() - ours - {"postgres", "qdrant"} == {"ollama", "ollama-models"}


def test_what_is_written_is_in_named_volumes() -> None:
    mounted = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }
    assert mounted == set(COMPOSE["volumes"])


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_trial_loads_code_where_its_container_may_write(location: str) -> None:
    # Dagster makes itself a home in the folder that it is started in.
    options, _, load = " ".join(trial_command(location)).partition(f" {location} ")
    assert re.findall(r" --workdir (\S+)", options) == SERVICES[location]["tmpfs"]
    assert load.startswith("dagster definitions validate ")


# --- secrets --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_is_in_the_environment(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    assert environment.keys().isdisjoint(SECRETS | {"POSTGRES_PASSWORD"})
    assert set(SERVICES[name].get("secrets", [])) <= SECRETS | {"POSTGRES_PASSWORD"}


def test_a_container_has_the_secrets_that_it_reads() -> None:
    for name in LOCATIONS:
        assert set(SERVICES[name]["secrets"]) == SECRETS
    for name in ("migrate", "webserver", "daemon"):
        assert SERVICES[name]["secrets"] == [settings.METADATA_DSN.name]
    assert set(SERVICES["metrics"]["secrets"]) == {
        settings.METADATA_DSN.name,
        settings.ALERT_WEBHOOK_URL.name,
    }
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"] == (
        f"/run/secrets/{SERVICES['postgres']['secrets'][0]}"
    )


def test_every_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = _run_sh(FOLDER / "secrets.sh", str(folder))
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"${{TWD_SECRETS_PATH:-./secrets}}/{name}"}
    assert re.fullmatch("[0-9a-f]{48}", made["POSTGRES_PASSWORD"])
    assert f":{made['POSTGRES_PASSWORD']}@postgres:5432/" in made["TWD_METADATA_DSN"]
    assert "Write the address" in first
    (folder / "TWD_APPLICATION_DSN").write_text("postgresql://reader:secret@host/application\n")
    again = _run_sh(FOLDER / "secrets.sh", str(folder))
    assert "Write the address" not in again
    assert (folder / "POSTGRES_PASSWORD").read_text() == made["POSTGRES_PASSWORD"]
    assert "secret@host" in (folder / "TWD_APPLICATION_DSN").read_text()


def test_the_folder_of_secrets_is_for_its_owner_and_not_for_git(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    _run_sh(FOLDER / "secrets.sh", str(folder))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # The user of a container is another one than the owner.
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    assert (FOLDER / ".gitignore").read_text().split() == ["secrets/"]


def test_a_program_finds_its_secrets_as_variables(tmp_path: Path) -> None:
    (tmp_path / "SOME_DSN").write_text("postgresql://a:b c@host/d\n")
    (tmp_path / "EMPTY_KEY").write_text("")
    (tmp_path / "kubernetes.io").mkdir()
    script = tmp_path / "kubernetes.io/with-secrets"
    script.write_text((FOLDER / "with-secrets").read_text().replace("/run/secrets", str(tmp_path)))
    told = _run_sh(script, "sh", "-c", 'echo "<$SOME_DSN><${EMPTY_KEY-unset}>"')
    assert told == "<postgresql://a:b c@host/d><>\n"


def test_what_documents_start_in_a_container_that_runs_is_given_its_secrets() -> None:
    documents = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*/README.md")]
    texts = [" ".join(path.read_text().split()) for path in documents]
    started = [words for text in texts for words in re.findall(r"compose exec (\S+ \S+)", text)]
    assert started
    assert {words.strip("`):,") for words in started} == {"schema with-secrets"}


def _run_sh(script: Path, *arguments: str) -> str:
    return subprocess.run(
        ["sh", str(script), *arguments], capture_output=True, text=True, check=True
    ).stdout


# --- images ---------------------------------------------------------------------------------


def test_each_image_is_built_by_one_service() -> None:
    # Compose builds side by side: two that export the same tag at once end in "already exists".
    images = {service["image"].partition(":")[0] for service in SERVICES.values()}
    built = [
        service["image"].partition(":")[0] for service in SERVICES.values() if "build" in service
    ]
    assert sorted(built) == sorted(image for image in images if image.startswith("twd-"))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_starts_what_it_is_given_with_its_secrets(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert "COPY deploy/compose/with-secrets /usr/local/bin/\n" in text
    assert '\nENTRYPOINT ["with-secrets"]\n' in text
    assert (FOLDER / "with-secrets").stat().st_mode & 0o111 == 0o111


def test_a_check_that_reads_the_database_reads_the_secrets() -> None:
    assert SERVICES["daemon"]["healthcheck"]["test"][:3] == [
        "CMD",
        "with-secrets",
        "dagster-daemon",
    ]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_docker_is_given_what_an_image_copies(dockerfile: Path) -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    admitted = [line[1:] for line in lines if line.startswith("!")]
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile.read_text(), re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert "*" in lines
    for source in copied:
        assert any(fnmatch.fnmatch(source, f"{path}*") for path in admitted), source
