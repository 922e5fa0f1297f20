"""Deploys of one location to a cluster: the command of helm, for that one alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY

IMAGE_TAG = "TWD_IMAGE_TAG"
NAMESPACE = "TWD_NAMESPACE"

_HELM_VALUES = Path("deploy/helm")
# Dagster's own chart repository, which the cluster's operator has added under this name.
_CHART = "dagster/dagster-user-deployments"
CHART_VERSION = "1.13.27"


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


def deploy_with_helm(location: str, environment: Mapping[str, str]) -> None:
    """Upgrade the Helm release of `location` in the cluster of kubectl's context."""
    command = helm_command(location, environment)
    values = REPOSITORY / _HELM_VALUES / f"values-{location}.yaml"
    if shutil.which("helm") is None:
        raise StackError(
            "helm was not found. Install it, or deploy to this machine with TARGET=local."
        )
    if not values.exists():
        raise StackError(f"{values.relative_to(REPOSITORY)} is missing from this checkout.")
    if subprocess.run(command, cwd=REPOSITORY, check=False).returncode:
        raise StackError("helm failed, as it says above. The release before it is in place.")
