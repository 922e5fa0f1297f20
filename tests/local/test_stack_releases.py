"""Releases of a code location, built for real from a small repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from twd_local.deploy import local
from twd_local.deploy.cluster import helm_command
from twd_local.deploy.local import deploy_locally
from twd_local.deploy.release import Release, build, current, prune
from twd_local.stack import lifecycle, processes
from twd_local.stack.environment import STACK_ID
from twd_local.stack.errors import StackError, explained
from twd_local.stack.home import Home
from twd_local.stack.names import LOCATIONS

PROJECT = """\
[project]
name = "{name}"
version = "1"

[build-system]
requires = ["uv_build>=0.13,<0.14"]
build-backend = "uv_build"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for folder, package in (("libs/twd_shared", "twd_shared"), ("locations/schema", "twd_schema")):
        source = tmp_path / "repository" / folder / "src" / package
        source.mkdir(parents=True)
        (source / "__init__.py").write_text("")
        project = PROJECT.format(name=package.replace("_", "-"))
        (tmp_path / "repository" / folder / "pyproject.toml").write_text(project)
    root = tmp_path / "repository"
    (root / "locations/schema/requirements.txt").write_text("")
    write_answer(root, 1)
    return root


def write_answer(repository: Path, answer: int) -> None:
    module = repository / "locations/schema/src/twd_schema/answer.py"
    module.write_text(f"ANSWER = {answer}\n")


def answer(release: Release) -> str:
    code = "from twd_schema.answer import ANSWER; import twd_shared; print(ANSWER)"
    return subprocess.check_output([release.python, "-c", code], text=True, cwd="/").strip()


def test_a_release_does_not_change_with_the_sources(repository: Path, tmp_path: Path) -> None:
    releases = tmp_path / "releases"
    first = build(repository, releases, "schema")
    first.make_current()
    assert first.is_new
    assert not build(repository, releases, "schema").is_new
    write_answer(repository, 2)
    second = build(repository, releases, "schema")
    assert second.is_new
    assert (answer(first), answer(second)) == ("1", "2")
    assert current(releases, "schema") == first.path
    second.make_current()
    assert current(releases, "schema") == second.path


def test_what_an_editor_leaves_beside_sources_is_none_of_them(
    repository: Path, tmp_path: Path
) -> None:
    sources = repository / "locations/schema/src/twd_schema"
    (sources / ".#answer.py").symlink_to("somebody@host.1234")
    for name in ("answer.py~", ".answer.py.swp"):
        (sources / name).touch()
    release = build(repository, tmp_path / "releases", "schema")
    copied = release.path / "src/schema/src/twd_schema"
    assert {path.name for path in copied.iterdir()} == {"__init__.py", "answer.py"}


def test_a_source_that_cannot_be_copied_is_named(repository: Path, tmp_path: Path) -> None:
    link = repository / "locations/schema/src/twd_schema/gone.py"
    link.symlink_to("nowhere")
    with pytest.raises(shutil.Error) as refused:
        build(repository, tmp_path / "releases", "schema")
    assert f"{link} could not be copied: " in explained(refused.value)


def test_a_release_that_was_killed_half_way_is_built_again(
    repository: Path, tmp_path: Path
) -> None:
    releases = tmp_path / "releases"
    release = build(repository, releases, "schema")
    (release.path / "complete").unlink()
    release.python.unlink()
    (releases / "schema" / "staging").mkdir()
    again = build(repository, releases, "schema")
    assert again.path == release.path
    assert again.is_new
    assert answer(again) == "1"


def test_an_installation_that_fails_says_what_the_installer_said(
    repository: Path, tmp_path: Path
) -> None:
    (repository / "locations/schema/requirements.txt").write_text("not a requirement\n")
    with pytest.raises(StackError, match="location schema could not be built"):
        build(repository, tmp_path / "releases", "schema")
    assert current(tmp_path / "releases", "schema") is None


def test_a_folder_without_the_location_is_refused_before_anything_is_built(
    repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(StackError, match="no checkout with a location training"):
        build(repository, tmp_path / "releases", "training")
    assert not (tmp_path / "releases").exists()


def test_old_releases_are_deleted_but_not_those_in_use(tmp_path: Path) -> None:
    folder = tmp_path / "schema"
    for age in range(6):
        release = folder / f"release{age}"
        release.mkdir(parents=True)
        (release / "complete").touch()
        moment = time.time() - 100 * age
        os.utime(release / "complete", (moment, moment))
    Release(folder / "release4", False, 0).make_current()
    script = folder / "release5" / "run.py"
    script.write_text("import time; time.sleep(60)")
    run = subprocess.Popen([sys.executable, str(script)])
    try:
        assert prune(tmp_path, "schema") == [folder / "release3"]
    finally:
        run.kill()
        run.wait()
    assert prune(tmp_path, "schema") == [folder / "release5"]
    assert not (folder / "release3").exists()
    assert current(tmp_path, "schema") == folder / "release4"


def test_what_failed_or_was_killed_is_deleted_unless_it_is_in_use(tmp_path: Path) -> None:
    folder = tmp_path / "schema"
    for name in ("serving", "failed", "tried", "staging"):
        (folder / name / "src").mkdir(parents=True)
    Release(folder / "serving", False, 0).make_current()
    script = folder / "tried" / "run.py"
    script.write_text("import time; time.sleep(60)")
    trial = subprocess.Popen([sys.executable, str(script)])
    try:
        assert prune(tmp_path, "schema") == [folder / "failed", folder / "staging"]
    finally:
        trial.kill()
        trial.wait()
    assert prune(tmp_path, "schema") == [folder / "tried"]
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "current", "serving"]


def test_a_start_of_the_stack_leaves_three_releases_of_each_location(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)

    def build_quickly(number: int, _repository: Path, releases: Path, location: str) -> Release:
        release = releases / location / f"release{number}"
        release.mkdir(parents=True)
        (release / "complete").touch()
        moment = time.time() - 1000 + number
        os.utime(release / "complete", (moment, moment))
        return Release(release, True, 0)

    for number in range(5):
        monkeypatch.setattr(lifecycle, "build", partial(build_quickly, number))
        lifecycle.prepare_releases(home, lambda _: None)
    for location in LOCATIONS:
        kept = sorted(path.name for path in (home.releases / location).glob("release*"))
        assert kept == ["release2", "release3", "release4"]


def test_a_release_that_failed_its_trial_counts_no_more_unless_it_serves(tmp_path: Path) -> None:
    for name in ("serving", "failed"):
        (tmp_path / "schema" / name).mkdir(parents=True)
        (tmp_path / "schema" / name / "complete").touch()
    serving, failed = (
        Release(tmp_path / "schema" / name, False, 0) for name in ("serving", "failed")
    )
    serving.make_current()
    failed.discard()
    serving.discard()
    assert (serving.path / "complete").exists()
    assert not (failed.path / "complete").exists()


def test_another_checkout_is_not_deployed_to_a_stopped_stack_whose_start_would_not_serve_it(
    repository: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(StackError, match="make up first"):
        deploy_locally(home, "schema", repository)
    assert not home.releases.exists()


def test_a_release_is_tried_as_a_part_of_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    release = Release(tmp_path / "schema" / "tried", True, 0)
    release.path.mkdir(parents=True)
    tried: list[psutil.Process] = []

    def is_serving(_: int) -> bool:
        tried.extend(processes.trials(home))
        return bool(tried)

    command = (sys.executable, "-c", "import time; time.sleep(60)")
    monkeypatch.setattr(local, "code_server_command", lambda *_: command)
    monkeypatch.setattr(local, "code_server_is_serving", is_serving)
    local._try_out(home, release, {})
    assert len(tried) == 1


def test_what_a_deploy_that_was_killed_tried_is_ended_by_the_next(
    repository: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    marks = {STACK_ID: home.stack_id, processes.TRIAL: "1"}
    with subprocess.Popen(["sleep", "60"], env=os.environ | marks) as trial:
        with pytest.raises(StackError):
            deploy_locally(home, "schema", repository)
        assert not psutil.pid_exists(trial.pid)


def test_a_deploy_to_a_cluster_names_one_release_and_its_tag() -> None:
    command = helm_command("training", {"TWD_IMAGE_TAG": "2026.1"})
    assert "twd-training" in command
    assert "deployments[0].image.tag=2026.1" in command
    with pytest.raises(StackError, match="TWD_IMAGE_TAG"):
        helm_command("training", {})
