"""The direction of imports, and that importing does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "twd_shared": ROOT / "libs/twd_shared/src",
    "twd_local": ROOT / "deploy/local/src",
    **{f"twd_{folder.name}": folder / "src" for folder in (ROOT / "locations").iterdir()},
}

# Imports every module of a package and notes each connection, and each variable that the package's
# own code reads. What its dependencies read of the environment when they are imported is theirs.
WATCH = """
import importlib, json, os, pkgutil, sys
package, folder = sys.argv[1:]
noted = []

def own_line():
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(folder):
            return f"{file.removeprefix(folder + '/')}:{frame.f_lineno}"
        if "importlib" not in file and "/os.py" not in file and "<frozen" not in file:
            return None
        frame = frame.f_back

class Environment(type(os.environ)):
    def __getitem__(self, key):
        where = own_line()
        if where:
            noted.append(f"{where} read {key}")
        return super().__getitem__(key)

    def __iter__(self):
        where = own_line()
        if where:
            noted.append(f"{where} read the environment")
        return super().__iter__()

def audit(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        noted.append(f"{event} while {importing[0]} was imported")

importing = [""]
os.environ.__class__ = Environment
sys.addaudithook(audit)
names = [package]
for found in pkgutil.walk_packages([f"{folder}/{package}"], package + "."):
    names.append(found.name)
imported = 0
for name in names:
    # Alembic runs these files itself, in its own surroundings.
    if ".migrations" in name:
        continue
    importing[0] = name
    importlib.import_module(name)
    imported += 1
print(json.dumps({"imported": imported, "noted": noted}))
"""


def interpreter(package: str) -> str:
    """The environment of the package's own location if it is made, else this one."""
    own = ROOT / "locations" / package.removeprefix("twd_") / ".venv/bin/python"
    return str(own) if own.exists() else sys.executable


def run(
    package: str, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(SOURCES[name]) for name in ("twd_shared", "twd_local", package))
    return subprocess.run(
        [interpreter(package), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("TWD_")},
            "PYTHONPATH": paths,
            **(environment or {}),
        },
        check=False,
    )


@pytest.mark.parametrize("package", sorted(SOURCES))
def test_importing_connects_to_nothing_and_reads_no_environment(package: str) -> None:
    done = run(package, "-c", WATCH, package, str(SOURCES[package]))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["imported"] > 10
    assert result["noted"] == []


@pytest.mark.parametrize("package", sorted(SOURCES.keys() - {"twd_shared", "twd_local"}))
def test_a_location_starts_without_the_clients_that_only_its_steps_use(package: str) -> None:
    slow = ("qdrant_client", "ollama", "polars", "numpy")
    script = (
        f"import sys, {package}.definitions\n"
        f"print([name for name in {slow} if name in sys.modules])"
    )
    done = run(package, "-c", script)
    assert done.stdout.strip() == "[]", done.stderr


def test_imports_go_only_in_the_allowed_directions() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SOURCES.values()))},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout
