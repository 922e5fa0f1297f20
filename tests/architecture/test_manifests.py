"""The manifests of our own, beside those of Dagster's charts."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from .rendering import HELM, KUBERNETES

MANIFESTS = ("metrics.yaml", "migrate.yaml", "settings.yaml")


def _documents(manifest: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((HELM / manifest).read_text()))


def _container(manifest: str) -> dict[str, Any]:
    [container] = _documents(manifest)[0]["spec"]["template"]["spec"]["containers"]
    return container


def test_every_file_is_a_manifest_or_values_of_a_release() -> None:
    values = {path.name for path in HELM.glob("values-*.yaml")}
    assert {path.name for path in HELM.glob("*.yaml")} == values | set(MANIFESTS)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("manifest", MANIFESTS)
def test_kubernetes_takes_it(manifest: str, version: str) -> None:
    for document in _documents(manifest):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("manifest", ["metrics.yaml", "migrate.yaml"])
def test_its_pod_is_bounded_and_without_rights(manifest: str) -> None:
    spec = _documents(manifest)[0]["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert _container(manifest)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in _container(manifest)["resources"]["limits"]
