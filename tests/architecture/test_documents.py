"""What README.md and docs/ say is true: targets, links, settings and messages are the code's."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from twd_shared import settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("deploy/*/README.md")),
]

# In two halves, so that this file does not hold what it looks for.
_REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "proxy.go" + "lang.org",
    "static.crates" + ".io",
    "rubygems" + ".org",
]
_MACHINE_PATH = re.compile(r"(?<![\w.~$}:/-])/(?:root|home|Users|work|mnt)/(?!\.ollama\b)\w")


def _ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_ids)
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*(?: [a-z-]+)*):", _makefile(), re.MULTILINE))
    known = {name for line in targets for name in line.split()}
    code = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", document.read_text(), re.DOTALL)
    commands = " \n".join(block or span for block, span in code)
    named = set(re.findall(r"(?<![\w-])make ([a-z][a-z-]*)", commands)) - {"deploy-"}
    assert named - known == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_ids)
def test_links_resolve(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


def test_configuration_table_is_that_of_the_code() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert rows == [
        (
            variable.name,
            _shown(variable.default),
            variable.purpose + (" (secret)" if variable.secret else ""),
        )
        for variable in settings.VARIABLES
    ]


def test_formats_of_alerts_are_those_of_the_code() -> None:
    text = (ROOT / "docs/alerts.md").read_text()
    assert re.findall(r"^- \*\*(\w+)\*\*:", text, re.MULTILINE) == [*settings.ALERT_STYLES]
    named = text.split("`TWD_ALERT_FORMAT` is ")[1].split(". ")[0]
    assert re.findall("`(.*?)`", named) == [*settings.ALERT_FORMATS]


def test_symptoms_of_the_troubleshooting_table_are_messages_of_the_code() -> None:
    section = (ROOT / "README.md").read_text().split("## When something is wrong")[1]
    table = section.split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    messages = _messages()
    symptoms = [
        fragment.strip()
        for cell in cells
        for quoted in re.findall(r"`([^`]+)`", cell)
        for fragment in quoted.split("…")
        if fragment.strip()
    ]
    assert len(cells) >= 15
    assert [symptom for symptom in symptoms if symptom not in messages] == []


def test_committed_files_name_no_package_registry_and_no_folder_of_a_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = []
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if not path.is_file() or path.suffix in {".gz", ".png"}:
            continue
        text = path.read_text(errors="replace")
        found += [(name, host) for host in _REGISTRIES if host in text]
        found += [(name, match[0]) for match in _MACHINE_PATH.finditer(text)]
    assert found == []


def _makefile() -> str:
    return (ROOT / "Makefile").read_text()


def _anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def _shown(default: str | None) -> str:
    if default is None:
        return "required"
    return f"`{default}`" if default else "empty"


def _messages() -> str:
    """All texts in the product's code, f-strings with their holes left out, and the Makefile."""
    texts = [_makefile()]
    for folder in ("libs", "locations", "deploy"):
        for path in (ROOT / folder).glob("**/src/**/*.py"):
            if ".venv" in path.parts:
                continue
            texts += [
                node.value
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
    return "\n".join(texts)
