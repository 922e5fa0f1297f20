"""What the processes of the stack are told, and which of them are left out."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from twd_local.stack.environment import (
    External,
    compose_environment,
    misspelt,
    read_env_file,
    set_since,
)
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.names import LOCATIONS, ORDER
from twd_local.stack.plan import chosen_home, plan
from twd_local.stack.ports import USUAL_PORTS
from twd_shared import contract
from twd_shared.errors import ConfigurationError


def test_the_locations_are_the_same_everywhere() -> None:
    folders = {path.parent.name for path in REPOSITORY.glob("locations/*/pyproject.toml")}
    assert folders == set(LOCATIONS) == set(contract.LOCATIONS)
    workspace = (REPOSITORY / "workspace.yaml").read_text()
    makefile = (REPOSITORY / "Makefile").read_text()
    for location in LOCATIONS:
        assert f"location_name: {location}" in workspace
        assert f"deploy-{location}:" in makefile


def test_everything_runs_here_by_default() -> None:
    assert External.from_environment({}).services() == ORDER


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ({"QDRANT_URL": "http://q:6333"}, {"qdrant"}),
        ({"OLLAMA_BASE_URL": "http://o:11434"}, {"ollama"}),
        ({"TWD_METADATA_DSN": "postgresql://h/m"}, set[str]()),
        ({"TWD_APPLICATION_DSN": "postgresql://h/a", "TWD_API_URL": "http://a"}, {"application"}),
        (
            {
                "TWD_METADATA_DSN": "postgresql://h/m",
                "TWD_APPLICATION_DSN": "postgresql://h/a",
                "TWD_API_URL": "http://a",
            },
            {"application", "postgres"},
        ),
    ],
)
def test_a_server_that_runs_elsewhere_is_not_started(
    given: dict[str, str], left_out: set[str]
) -> None:
    assert set(ORDER) - set(External.from_environment(given).services()) == left_out


def test_half_an_application_is_refused_with_the_remedy() -> None:
    external = External.from_environment({"TWD_API_URL": "http://a"})
    with pytest.raises(StackError, match="TWD_APPLICATION_DSN"):
        external.services()


def test_given_addresses_win_and_a_real_ollama_keeps_the_default_model(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    given = {"OLLAMA_BASE_URL": "http://o:11434", "TWD_TIMEZONE": "Asia/Ho_Chi_Minh"}
    environment = compose_environment(home, given, USUAL_PORTS)
    assert environment["OLLAMA_BASE_URL"] == "http://o:11434"
    assert environment["TWD_TIMEZONE"] == "Asia/Ho_Chi_Minh"
    assert "TWD_EMBED_MODEL" not in environment
    assert compose_environment(home, {}, USUAL_PORTS)["TWD_EMBED_MODEL"] == "twd-lexical"


def test_sources_on_this_machine_may_be_read_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    assert compose_environment(home, {}, USUAL_PORTS)["TWD_SOURCE_HOSTS"] == (
        "public,private,loopback"
    )
    given = compose_environment(home, {"TWD_SOURCE_HOSTS": "public"}, USUAL_PORTS)
    assert given["TWD_SOURCE_HOSTS"] == "public"


def test_the_home_may_stand_in_the_env_file_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f"TWD_HOME={tmp_path}/large-disk\n")
    monkeypatch.setattr("twd_local.stack.plan.REPOSITORY", tmp_path)
    assert chosen_home({}).root == tmp_path / "large-disk"
    assert chosen_home({"TWD_HOME": f"{tmp_path}/other"}).root == tmp_path / "other"


def test_a_relative_home_is_the_same_in_whichever_folder_a_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.from_environment({"TWD_HOME": "other"}).root == REPOSITORY / "other"


def test_settings_that_a_running_stack_was_not_started_with_are_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    started = compose_environment(home, {"TWD_TIMEZONE": "UTC", "TWD_RUN_DAYS": "9"}, USUAL_PORTS)
    given = {"TWD_TIMEZONE": "UTC", "TWD_RUN_DAYS": "", "TWD_LATE_DAYS": "3", "PATH": "/bin"}
    assert set_since(given, started) == ["TWD_LATE_DAYS"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWD_PORTS", "foo"),
        ("TWD_SOURCE_DIALECTS", "postgresql,oracle"),
        ("TWD_SOURCE_HOSTS", "*"),
        ("TWD_MAX_CONCURRENT_RUNS", "0"),
    ],
)
def test_a_stack_with_a_wrong_setting_is_not_planned(tmp_path: Path, name: str, value: str) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(ConfigurationError, match=f"^{name} .*'"):
        plan(home, {name: value}, print)
    assert not home.root.exists()


def test_a_relative_folder_is_one_from_where_the_env_file_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    given = {"TWD_SECRETS_FOLDER": "secrets", "TWD_COMPUTE_LOG_DIR": "/var/log/runs"}
    environment = compose_environment(home, given, USUAL_PORTS)
    assert environment["TWD_SECRETS_FOLDER"] == str(REPOSITORY / "secrets")
    assert environment["TWD_COMPUTE_LOG_DIR"] == "/var/log/runs"
    assert set_since(given, environment) == []


def test_passwords_stay_the_same_and_are_for_the_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    first = compose_environment(home, {}, USUAL_PORTS)
    assert compose_environment(home, {}, USUAL_PORTS) == first
    secrets = list(home.secrets.iterdir())
    assert secrets
    assert all(file.stat().st_mode & 0o077 == 0 for file in (home.secrets, *secrets))


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_what_the_stack_keeps_is_for_its_owner_alone_also_where_it_was_not(
    tmp_path: Path, umask: int
) -> None:
    home = Home(tmp_path / "home")
    before = os.umask(umask)
    try:
        home.create()
    finally:
        os.umask(before)
    for folder in home.root.iterdir():
        folder.chmod(0o755)
    home.create()
    assert {path.name for path in home.root.iterdir()} >= {"qdrant", "logs", "compute_logs"}
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in home.root.iterdir())
    # PostgreSQL, if root started it, runs as another user.
    assert home.root.stat().st_mode & 0o777 == 0o711


def test_a_folder_that_was_there_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Home(tmp_path).create()
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_every_password_that_a_service_reads_is_there_before_it_starts(tmp_path: Path) -> None:
    services = plan(Home(tmp_path), {"TWD_PORTS": "free"}, print).services
    commands = [one.command for one in services if "--password-file" in one.command]
    files = [Path(command[command.index("--password-file") + 1]) for command in commands]
    assert files
    assert all(file.read_text() for file in files)


def test_a_database_whose_password_is_gone_is_told_before_it_is_waited_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.postgres_data.mkdir()
    (home.postgres_data / "PG_VERSION").touch()
    with pytest.raises(StackError, match="secrets/postgres, which is gone"):
        plan(home, {"TWD_PORTS": "free"}, print)


def test_an_env_file_is_read_as_people_write_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# note\n\nexport A=1\nB='x y'\nC=\"p=q\"\n D = z \n")
    assert read_env_file(file) == {"A": "1", "B": "x y", "C": "p=q", "D": "z"}
    file.write_text("A=1 # one\nB=a#b\nC='#x' # c\nD= # nothing\nE=pa'ss\nF='{\"a\": 1}'\n")
    assert read_env_file(file) == {
        "A": "1",
        "B": "a#b",
        "C": "#x",
        "D": "",
        "E": "pa'ss",
        "F": '{"a": 1}',
    }
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(StackError, match="line 2"):
        read_env_file(file)
    assert read_env_file(tmp_path / "missing") == {}


@pytest.mark.parametrize("value", ["'a", '"a" b', "'it's'", '"a\\"b"'])
def test_quotes_that_could_be_meant_otherwise_are_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / ".env").write_text(f"A=1\nSECRET={value}\n")
    with pytest.raises(StackError, match="line 2: the value of SECRET begins with a quote"):
        read_env_file(tmp_path / ".env")


def test_a_home_may_be_below_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home.from_environment({"TWD_HOME": "~/data"}).root == tmp_path / "data"


@pytest.mark.parametrize("name", ["a#b", "a ;b", "a\nb"])
def test_a_home_that_others_would_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StackError, match="TWD_HOME name a folder without #"):
        Home.from_environment({"TWD_HOME": str(tmp_path / name)})


def test_an_env_file_of_another_editor_is_read_or_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes("\ufeffTWD_TIMEZONE=UTC\r\n".encode())
    assert read_env_file(file) == {"TWD_TIMEZONE": "UTC"}
    file.write_bytes("TWD_TIMEZONE=UTC".encode("utf-16"))
    with pytest.raises(StackError, match=r"\.env is not written in UTF-8"):
        read_env_file(file)


def test_a_name_that_is_nearly_a_setting_is_told_with_the_one_that_is_meant() -> None:
    given = (
        "TWD_SOURCE_DIALECT",
        "TWD_PORT",
        "QDRANT_ULR",
        "TWD_RUN_DAYS",
        "TWD_IMAGE_TAG",
        "PATH",
    )
    assert misspelt(dict.fromkeys(given, "x")) == {
        "TWD_SOURCE_DIALECT": "TWD_SOURCE_DIALECTS",
        "TWD_PORT": "TWD_PORTS",
        "QDRANT_ULR": "QDRANT_URL",
    }


def test_no_variable_of_the_project_is_taken_for_a_misspelt_one() -> None:
    texts = [
        path.read_text()
        for pattern in ("deploy/**/*.yaml", "deploy/**/*.py", "Makefile", "workspace.yaml")
        for path in REPOSITORY.glob(pattern)
    ]
    names = {name for text in texts for name in re.findall(r"\bTWD_[A-Z_]+[A-Z]\b", text)}
    assert len(names) > 40
    assert misspelt(dict.fromkeys(names, "x")) == {}
