"""The audit of pinned packages: what it reads, and what it says of an answer."""

from __future__ import annotations

from twd_local.audit import Audited, pinned_files, summary


def test_what_is_deployed_is_audited() -> None:
    names = {f"{path.parent.name}/{path.name}" for path in pinned_files()}
    assert names >= {
        "schema/requirements.txt",
        "training/requirements.txt",
        "analytics/requirements.txt",
        "local/requirements.txt",
        "compose/host-requirements.txt",
        "helm/cluster-requirements.txt",
    }


def test_a_known_vulnerability_is_told_with_its_remedy() -> None:
    assert summary(
        [
            {"name": "good", "version": "1", "vulns": []},
            {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]},
            {"name": "own", "skip_reason": "Dependency not found on PyPI"},
        ]
    ) == Audited(("bad 2: CVE-1, fixed in 3",), 2, 1)
