"""Deploys to containers: an image for its sources, and always one that serves.

Docker itself is a program of the tests that notes what it is told and fails where a test says so.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from twd_local.deploy.compose import COMPOSE_FOLDER, deploy_with_compose, image_tag
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY

_DOCKER = """#!/bin/sh
case "$1 $2" in
"compose version") exit ;;
"compose ps") [ ! -e "$STATE/serving" ] || echo 5e1ec7ed; exit ;;
"inspect --format") echo "twd-schema:$(cat "$STATE/serving")"; exit ;;
"image inspect") [ -e "$STATE/images/$5" ] && echo sha256:5e1ec7ed; exit ;;
"image rm") rm "$STATE/images/$3"; exit ;;
"compose build")
    touch "$STATE/images/twd-schema:$TWD_SCHEMA_TAG"
    [ ! -e "$STATE/edits" ] || echo "# changed" >> ../../locations/schema/requirements.txt ;;
"compose up") echo "$TWD_SCHEMA_TAG" > "$STATE/serving" ;;
esac
echo "$2 $TWD_SCHEMA_TAG" >> "$STATE/told"
! grep -qx "$2 $TWD_SCHEMA_TAG" "$STATE/fails"
"""
_COPIED = (
    ".dockerignore",
    "deploy/local/bootstrap-requirements.txt",
    "deploy/helm/cluster-requirements.txt",
    "deploy/compose/with-secrets",
    "deploy/compose/compose.yaml",
    "libs/twd_shared/pyproject.toml",
    "libs/twd_shared/src/twd_shared/contract.py",
    "locations/schema/Dockerfile",
    "locations/schema/requirements.txt",
    "locations/schema/src/twd_schema/definitions.py",
    "locations/training/src/twd_training/definitions.py",
)


class Machine:
    """A checkout, and a docker that builds and serves what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        for name in _COPIED:
            copy = self.repository / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, copy)
        self.settings = self.repository / COMPOSE_FOLDER / ".env"
        self._state = folder / "docker"
        (self._state / "images").mkdir(parents=True)
        (self._state / "fails").touch()
        docker = folder / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text(_DOCKER)
        docker.chmod(0o755)
        self.said = ""
        self.path = f"{docker.parent}:/usr/bin:/bin"

    @property
    def tag(self) -> str:
        return image_tag(self.repository, "schema")

    def deploy(self, **variables: str) -> str:
        """Deploy; gives what is said."""
        environment = {"PATH": self.path, "STATE": str(self._state), **variables}
        said: list[str] = []
        try:
            deploy_with_compose("schema", environment, self.repository, said.append)
        finally:
            self.said = "\n".join(said)
        return self.said

    @property
    def serving(self) -> str:
        return (self._state / "serving").read_text().strip()

    def images(self) -> set[str]:
        return {path.name for path in (self._state / "images").iterdir()}

    def change(self, name: str) -> None:
        file = self.repository / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((file.read_text() if file.exists() else "") + "\n# changed\n")

    def fail(self, *what: str) -> None:
        (self._state / "fails").write_text("".join(f"{line}\n" for line in what))

    def edit_while_building(self) -> None:
        (self._state / "edits").touch()

    def told(self) -> list[str]:
        """What docker was told since the last time: the word of compose, and the image's tag."""
        told = self._state / "told"
        lines = told.read_text().splitlines() if told.exists() else []
        told.unlink(missing_ok=True)
        return lines


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", made.path)
    return made


@pytest.mark.parametrize(
    "name",
    [
        "locations/schema/src/twd_schema/definitions.py",
        "locations/schema/requirements.txt",
        "locations/schema/Dockerfile",
        "libs/twd_shared/src/twd_shared/contract.py",
        "deploy/compose/with-secrets",
    ],
)
def test_other_content_has_another_tag(machine: Machine, name: str) -> None:
    before = machine.tag
    machine.change(name)
    assert machine.tag != before


@pytest.mark.parametrize(
    "name",
    [
        "locations/training/src/twd_training/definitions.py",
        "locations/schema/.venv/bin/python",
        "libs/twd_shared/src/twd_shared/__pycache__/contract.cpython-311.pyc",
        "deploy/compose/compose.yaml",
    ],
)
def test_what_is_not_in_the_image_changes_no_tag(machine: Machine, name: str) -> None:
    before = machine.tag
    machine.change(name)
    assert machine.tag == before


def test_a_script_that_may_not_be_executed_gives_another_image(machine: Machine) -> None:
    before = machine.tag
    (machine.repository / "deploy/compose/with-secrets").chmod(0o600)
    assert machine.tag != before


def test_what_an_image_copies_and_is_not_there_is_named(machine: Machine) -> None:
    (machine.repository / "deploy/compose/with-secrets").unlink()
    with pytest.raises(StackError, match="deploy/compose/with-secrets, which the image needs"):
        machine.deploy()


def test_an_image_is_built_tried_and_served_under_the_tag_of_its_content(machine: Machine) -> None:
    machine.settings.write_text("TWD_UI_PORT=3001\nTWD_SCHEMA_TAG=before")
    assert machine.deploy() == f"twd-schema:{machine.tag} serves, and deploy/compose/.env names it."
    assert machine.told() == [f"{word} {machine.tag}" for word in ("build", "run", "up")]
    assert machine.settings.read_text() == f"TWD_UI_PORT=3001\nTWD_SCHEMA_TAG={machine.tag}\n"


def test_an_image_that_is_there_is_not_built_again(machine: Machine) -> None:
    machine.deploy()
    machine.told()
    machine.deploy()
    assert machine.told() == [f"run {machine.tag}", f"up {machine.tag}"]


def test_settings_stay_as_private_as_they_were(machine: Machine) -> None:
    machine.settings.touch(0o600)
    machine.deploy()
    assert machine.settings.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def before(machine: Machine) -> str:
    """The tag of the image that serves; the sources have been changed since it was deployed."""
    machine.deploy()
    machine.told()
    before = machine.tag
    machine.change("locations/schema/src/twd_schema/definitions.py")
    return before


def test_the_way_back_is_the_tag_of_before(machine: Machine, before: str) -> None:
    machine.deploy()
    machine.told()
    assert "nothing is built" in machine.deploy(TWD_SCHEMA_TAG=before)
    assert machine.told() == [f"run {before}", f"up {before}"]
    assert machine.settings.read_text() == f"TWD_SCHEMA_TAG={before}\n"


def test_a_tag_without_an_image_is_given_to_no_other_sources(machine: Machine, before: str) -> None:
    with pytest.raises(StackError, match=r"There is no image twd-schema:0123456789abcdef"):
        machine.deploy(TWD_SCHEMA_TAG="0123456789abcdef")
    assert machine.told() == []


def test_an_image_that_cannot_be_built_replaces_nothing(machine: Machine, before: str) -> None:
    machine.fail(f"build {machine.tag}")
    with pytest.raises(StackError, match=r"docker failed.*Nothing was replaced"):
        machine.deploy()
    assert machine.serving == before


def test_sources_that_change_while_they_are_built_leave_no_image(
    machine: Machine, before: str
) -> None:
    machine.edit_while_building()
    with pytest.raises(StackError, match="were changed while the image was built"):
        machine.deploy()
    assert machine.images() == {f"twd-schema:{before}"}
    assert machine.serving == before


def test_code_that_does_not_load_replaces_nothing(machine: Machine, before: str) -> None:
    machine.fail(f"run {machine.tag}")
    with pytest.raises(StackError, match=rf"twd-schema:{machine.tag} does not load, .* Nothing"):
        machine.deploy()
    assert machine.serving == before
    assert machine.settings.read_text() == f"TWD_SCHEMA_TAG={before}\n"


def test_an_image_that_does_not_serve_gives_way_to_the_one_before(
    machine: Machine, before: str
) -> None:
    # As somebody leaves it who had wanted another tag: what serves counts, not what is written.
    machine.settings.write_text("TWD_SCHEMA_TAG=edited\n")
    machine.fail(f"up {machine.tag}")
    with pytest.raises(StackError, match=f"twd-schema:{machine.tag} does not serve"):
        machine.deploy()
    assert machine.said == f"twd-schema:{before}, the image before it, serves again."
    assert machine.serving == before
    assert machine.settings.read_text() == "TWD_SCHEMA_TAG=edited\n"


def test_a_tag_that_cannot_be_written_down_does_not_serve(machine: Machine, before: str) -> None:
    machine.settings.unlink()
    machine.settings.mkdir()
    with pytest.raises(IsADirectoryError):
        machine.deploy()
    assert machine.serving == before


def test_it_is_said_when_the_one_before_does_not_serve_either(
    machine: Machine, before: str
) -> None:
    machine.fail(f"up {machine.tag}", f"up {before}")
    with pytest.raises(StackError, match="does not serve"):
        machine.deploy()
    assert "does not serve either: docker compose logs schema" in machine.said


def test_a_first_deploy_has_nothing_to_go_back_to(machine: Machine) -> None:
    machine.fail(f"up {machine.tag}")
    with pytest.raises(StackError, match="does not serve"):
        machine.deploy()
    assert machine.said == "No container of schema served before."


def test_without_docker_it_is_said_what_to_install(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StackError, match="Install both, or deploy to this machine"):
        machine.deploy()
