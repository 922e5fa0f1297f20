"""Deploys of one location to containers: the commands of docker and helm, for that one alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY

IMAGE_TAG = "TWD_IMAGE_TAG"
NAMESPACE = "TWD_NAMESPACE"

# In the folder, because its .env may name further files (COMPOSE_FILE), which -f would leave out.
COMPOSE_FOLDER = Path("deploy/compose")
_HELM_VALUES = Path("deploy/helm")
# Dagster's own chart repository, which the cluster's operator has added under this name.
_CHART = "dagster/dagster-user-deployments"
CHART_VERSION = "1.13.27"


def trial_commands(location: str) -> list[list[str]]:
    """The commands, in COMPOSE_FOLDER, that build the image of `location` and load its code.

    They touch no container that serves.
    """
    load = ["dagster", "definitions", "validate", "-m", f"twd_{location}.definitions"]
    return [
        ["docker", "compose", "build", location],
        ["docker", "compose", "run", "--rm", "--no-deps", "-T", location, *load],
    ]


def replace_command(location: str) -> list[str]:
    """The command, in COMPOSE_FOLDER, that replaces the container of `location` and no other."""
    return ["docker", "compose", "up", "-d", "--no-deps", "--wait", location]


def helm_command(location: str, environment: Mapping[str, str]) -> list[str]:
    """The command that upgrades the release of `location` to the image tag of the environment.

    Raises: StackError if no tag is given: a tag that stands for changing images would let two
    pods of one release run different code.
    """
    tag = environment.get(IMAGE_TAG)
    if not tag:
        raise StackError(
            f"{IMAGE_TAG} is not set. Push an image of {location} under a tag of its own, and "
            f"name it: make deploy-{location} TARGET=k8s {IMAGE_TAG}=…"
        )
    return [
        *("helm", "upgrade", "--install", f"twd-{location}", _CHART, "--version", CHART_VERSION),
        *("--namespace", environment.get(NAMESPACE) or "dagster"),
        *("--values", str(_HELM_VALUES / f"values-{location}.yaml")),
        *("--set-string", f"deployments[0].image.tag={tag}"),
        # With --wait, and back to the release before if the new one does not get ready.
        *("--atomic", "--timeout", "5m"),
    ]


def deploy_with_compose(location: str) -> None:
    """Replace the container of `location` on this machine; raises StackError."""
    has_compose = (
        shutil.which("docker")
        and not subprocess.run(
            ["docker", "compose", "version"], capture_output=True, check=False
        ).returncode
    )
    if not has_compose:
        raise StackError(
            "docker with its compose plugin was not found. Install both, or deploy to this "
            "machine with TARGET=local."
        )
    folder = REPOSITORY / COMPOSE_FOLDER
    for command in trial_commands(location):
        _run(command, folder / "compose.yaml", "Nothing was replaced.", folder)
    _run(
        replace_command(location),
        folder / "compose.yaml",
        f"The container of {location} was replaced and does not serve: docker compose logs "
        f"{location}. The way back is the tag of the image before it, in .env, and this command.",
        folder,
    )


def deploy_with_helm(location: str, environment: Mapping[str, str]) -> None:
    """Upgrade the Helm release of `location` in the cluster of kubectl's context."""
    _run(
        helm_command(location, environment),
        REPOSITORY / _HELM_VALUES / f"values-{location}.yaml",
        "The release before it is in place.",
    )


def _run(command: Sequence[str], needs: Path, otherwise: str, folder: Path = REPOSITORY) -> None:
    program = command[0]
    if shutil.which(program) is None:
        raise StackError(
            f"{program} was not found. Install it, or deploy to this machine with TARGET=local."
        )
    if not needs.exists():
        raise StackError(f"{needs.relative_to(REPOSITORY)} is missing from this checkout.")
    if subprocess.run(command, cwd=folder, check=False).returncode:
        raise StackError(f"{program} failed, as it says above. {otherwise}")
