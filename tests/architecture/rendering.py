"""Renders the releases of deploy/helm with Helm itself and Dagster's own charts.

The charts are not in this repository: whoever wants these tests has pulled them into a folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from twd_local.deploy import cluster

ROOT = Path(__file__).parents[2]
HELM = ROOT / "deploy/helm"
CHARTS = "TWD_CHARTS"
PULL = f"helm pull dagster/dagster --version {cluster.CHART_VERSION} --untar --untardir FOLDER"
# The oldest that is looked after by its makers, and the newest that there are schemas of.
KUBERNETES = ("1.34", kubernetes_validate.latest_version())
NAMESPACE = "dagster"
TAG = "4f2a91c"

# Where the charts' values.schema.json says that Kubernetes' own definitions are.
_ELSEWHERE = re.compile(r"https://[^\"#]+/_definitions\.json")

Document = dict[str, Any]


def helm() -> str:
    """The program; skips the test where there is none."""
    beside_python = Path(sys.executable).with_name("helm")
    found = str(beside_python) if beside_python.exists() else shutil.which("helm")
    if found is None:
        pytest.skip(
            "helm was not found. It comes with tests/requirements.txt on Linux x86-64 only."
        )
    return found


def charts(folder: Path) -> Path:
    """A copy in `folder` of Dagster's charts; skips the test where nobody has pulled them.

    In the copy the charts' schemas of values find Kubernetes' definitions on this machine, where
    Helm would ask the network for them.
    """
    pulled = Path(os.environ.get(CHARTS) or "unset") / "dagster"
    if not (pulled / "Chart.yaml").is_file():
        pytest.skip(f"{CHARTS} names no folder with Dagster's charts. To get one: {PULL}")
    copy = folder / "dagster"
    shutil.copytree(pulled, copy)
    definitions = folder / "_definitions.json"
    definitions.write_text(_definitions())
    for schema in (copy / "values.schema.json", user_deployments(copy) / "values.schema.json"):
        schema.write_text(_ELSEWHERE.sub(definitions.as_uri(), schema.read_text()))
    return copy


def platform(chart: Path) -> list[Document]:
    """What the release of the webserver and the daemon consists of."""
    tags = (f"{piece}.image.tag={TAG}" for piece in ("dagsterWebserver", "dagsterDaemon"))
    return _documents(NAMESPACE, chart, "values-platform.yaml", *tags)


def location(chart: Path, name: str) -> list[Document]:
    """What the release of the code server `name` consists of, as `make deploy-…` has it made."""
    command = cluster.helm_command(name, {cluster.IMAGE_TAG: TAG})
    release, tag = command[3], command[command.index("--set-string") + 1]
    return _documents(release, user_deployments(chart), f"values-{name}.yaml", tag)


def version(chart: Path) -> str:
    """The version of the chart."""
    return yaml.safe_load((chart / "Chart.yaml").read_text())["version"]


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    """The documents of one kind."""
    return [document for document in documents if document["kind"] == kind]


def pods(documents: list[Document]) -> list[Document]:
    """The templates of the pods that the documents start."""
    return [document["spec"]["template"] for document in of_kind(documents, "Deployment")]


def user_deployments(chart: Path) -> Path:
    """The chart of the code servers, which lies in the other one."""
    return chart / "charts/dagster-user-deployments"


def template(
    release: str, chart: Path, values: str, *strings: str
) -> subprocess.CompletedProcess[str]:
    """Run Helm's own rendering, which checks the values against the charts' schemas first."""
    return subprocess.run(
        [
            *(helm(), "template", release, str(chart), "--namespace", NAMESPACE),
            *("--values", str(HELM / values)),
            *(part for string in strings for part in ("--set-string", string)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def _documents(release: str, chart: Path, values: str, *strings: str) -> list[Document]:
    rendered = template(release, chart, values, *strings)
    assert rendered.returncode == 0, rendered.stderr
    return [document for document in yaml.safe_load_all(rendered.stdout) if document]


def _definitions() -> str:
    newest = kubernetes_validate.latest_version()
    schemas = files("kubernetes_validate") / f"kubernetes-json-schema/v{newest}-local"
    # Helm knows only the older word for where a schema keeps its definitions.
    text = (schemas / "_definitions.json").read_text().replace("#/$defs/", "#/definitions/")
    return json.dumps({"definitions": json.loads(text)["$defs"]})
