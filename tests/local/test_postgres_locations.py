"""Where the data of the local PostgreSQL is: decided once, and never silently another place.

Belongs here: decisions, by folders alone. Not here: a server that runs (`test_postgres.py`).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from twd_local.postgres import cluster, locations
from twd_local.postgres.cluster import prepare, remove
from twd_local.postgres.locations import PostgresError, User, possible_data_dirs, used_data_dir


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that everybody may pass, in which root's servers run as somebody else."""
    made = Path(tempfile.mkdtemp(prefix="twd-locations-"))
    made.chmod(0o755)
    monkeypatch.setattr(locations, "PRIVATE_ROOT", made / "private")
    monkeypatch.setattr(locations, "_user", lambda: User("nobody", 65534, 65534))
    monkeypatch.setattr(cluster, "_initialise", lambda found, _: fill(found.data_dir))
    for name in ("_copy_binaries", "_own"):
        monkeypatch.setattr(cluster, name, lambda _: None)
    yield made
    shutil.rmtree(made)


def fill(data_dir: Path) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "PG_VERSION").write_text("18\n")


def home_in(folder: Path, name: str = "home", mode: int = 0o755) -> Path:
    home = folder / name
    home.mkdir(exist_ok=True)
    home.chmod(mode)
    return home / "postgres"


@pytest.mark.parametrize(("first", "then"), [(0o755, 0o700), (0o700, 0o755)])
def test_data_stays_where_it_is_when_permissions_change(
    folder: Path, first: int, then: int
) -> None:
    asked = home_in(folder, mode=first)
    used = prepare(asked, "password").data_dir
    home_in(folder, mode=then)
    assert used_data_dir(asked) == used


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_data_of_an_earlier_release_is_found_wherever_it_is(folder: Path, mode: int) -> None:
    asked = home_in(folder, mode=mode)
    used = used_data_dir(asked)
    fill(used)
    home_in(folder, mode=0o755 if mode == 0o700 else 0o700)
    assert used_data_dir(asked) == used


def test_data_that_the_server_cannot_reach_any_more_is_told_with_the_folder(folder: Path) -> None:
    asked = home_in(folder)
    prepare(asked, "password")
    home_in(folder, mode=0o700)
    with pytest.raises(PostgresError, match=f"chmod a\\+x {asked.parent}$"):
        prepare(asked, "password")


def test_data_that_is_gone_is_not_replaced_by_an_empty_database(folder: Path) -> None:
    asked = home_in(folder, mode=0o700)
    shutil.rmtree(prepare(asked, "password").data_dir)
    with pytest.raises(PostgresError, match=r"The data is not in .*postgres\.location says"):
        prepare(asked, "password")


def test_data_in_both_places_is_refused_and_both_are_named(folder: Path) -> None:
    asked = home_in(folder)
    for place in possible_data_dirs(asked):
        fill(place)
    with pytest.raises(PostgresError) as refused:
        used_data_dir(asked)
    assert all(str(place) in str(refused.value) for place in possible_data_dirs(asked))


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_a_folder_that_is_moved_keeps_its_data(folder: Path, mode: int) -> None:
    asked = home_in(folder, mode=mode)
    prepare(asked, "password")
    (prepare(asked, "password").data_dir / "row").touch()
    moved = asked.parent.rename(folder / "moved") / "postgres"
    assert (prepare(moved, "password").data_dir / "row").exists()


def test_a_new_folder_in_the_place_of_one_that_was_moved_has_not_its_data(folder: Path) -> None:
    asked = home_in(folder, mode=0o700)
    used = prepare(asked, "password").data_dir
    asked.parent.rename(folder / "moved")
    home_in(folder)
    remove(asked)
    assert used_data_dir(asked) == asked
    assert used.exists()


def test_a_copy_of_a_folder_does_not_delete_the_data_of_the_original(folder: Path) -> None:
    asked = home_in(folder, mode=0o700)
    used = prepare(asked, "password").data_dir
    copy = shutil.copytree(asked.parent, folder / "copy") / "postgres"
    with pytest.raises(PostgresError, match="is a copy"):
        remove(copy)
    assert used.exists()
    assert possible_data_dirs(copy) == ()


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_what_is_removed_leaves_nothing(folder: Path, mode: int) -> None:
    asked = home_in(folder, mode=mode)
    prepare(asked, "password")
    remove(asked)
    assert list(asked.parent.iterdir()) == []
    assert list((folder / "private").glob("*")) == []
