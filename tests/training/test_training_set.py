"""Training data is read from the application, compared, and stored in one transaction."""

from __future__ import annotations

import pytest

from twd_shared.clients.application import ApplicationDatabase
from twd_shared.errors import ApplicationRefused, ApplicationUnavailable
from twd_shared.store.connections import RegisteredConnection
from twd_training.examples.changes import wishes_of
from twd_training.examples.models import LONGEST_TEXT
from twd_training.examples.store import TrainingSet
from twd_training.examples.submissions import read_markers, read_submissions

from .conftest import CUSTOMER, INVOICE, Location

pytestmark = pytest.mark.integration


def test_only_what_changed_is_written(location: Location) -> None:
    location.teach("Customers buy.")
    location.teach("select count(*) from invoice", "How many invoices?")
    location.teach("select nope from invoice", "What?")
    first = location.collect()
    assert (first.outcome.added, first.outcome.rejected) == (3, 1)
    again = location.collect()
    assert (again.outcome.added, again.outcome.unchanged, again.outcome.rejected) == (0, 3, 1)
    assert again.fingerprint == first.fingerprint
    location.execute("update training_data set content = 'They pay.' where question is null")
    location.execute("delete from training_data where question = 'What?'")
    changed = location.collect()
    assert (changed.outcome.updated, changed.outcome.removed) == (1, 1)
    assert changed.fingerprint != first.fingerprint
    accepted = TrainingSet(location.database).accepted(location.connection_id)
    assert {item.content for item in accepted} == {"They pay.", "select count(*) from invoice"}


def test_a_pair_is_quarantined_once_its_table_is_gone(location: Location) -> None:
    location.teach("select city from stock.warehouse", "Which cities?")
    before = location.collect()
    location.read_schema(CUSTOMER, INVOICE)
    after = location.collect()
    outcomes = [(one.outcome.quarantined, one.outcome.rejected) for one in (before, after)]
    assert (outcomes, after.outcome.updated) == ([(0, 0), (1, 0)], 1)
    assert after.items[0].reason == "table stock.warehouse does not exist"


def test_of_what_is_too_long_to_be_taught_only_a_part_is_read(location: Location) -> None:
    location.teach("a" * 1_000_000, "b" * 1_000_000)
    [item] = location.collect().items
    assert (len(item.content), len(item.question or "")) == (LONGEST_TEXT + 1, LONGEST_TEXT + 1)
    assert item.reason == f"it is longer than {LONGEST_TEXT} characters"


def marker_of(application: ApplicationDatabase) -> str:
    return read_submissions(application, "7", had_some=True).marker


def test_other_connections_data_is_left_out(location: Location) -> None:
    location.execute(
        "insert into training_data (connection_id, kind, content) values (8, 'documentation', 'x')"
    )
    assert location.collect().items == ()


def test_an_application_without_the_table_has_no_training_data(location: Location) -> None:
    location.execute("drop table training_data")
    collected = location.collect()
    assert (collected.reading.has_table, collected.items) == (False, ())
    assert read_markers(ApplicationDatabase(location.application_dsn), had_some=False) == {}


def test_a_table_that_is_gone_is_no_deletion_of_what_users_taught(location: Location) -> None:
    location.teach("An invoice is never deleted.")
    location.collect()
    location.execute("alter table training_data rename to elsewhere")
    with pytest.raises(ApplicationRefused, match="has no table training_data any more"):
        location.collect()
    assert len(TrainingSet(location.database).accepted("7")) == 1
    location.execute("create table training_data (like elsewhere)")
    assert location.collect().items == ()


def test_rows_of_unknown_kind_are_counted(location: Location) -> None:
    location.execute("alter table training_data drop constraint training_data_kind_check")
    location.teach("?", kind="riddle")
    assert location.collect().reading.unknown_kinds == 1


def test_the_marker_sees_a_row_deleted_and_another_added(location: Location) -> None:
    application = ApplicationDatabase(location.application_dsn)
    location.teach("a")
    before = marker_of(application)
    location.execute("update training_data set id = id + 100")
    assert marker_of(application) != before
    assert read_markers(application, had_some=True) == {"7": marker_of(application)}


def test_the_marker_sees_rows_that_were_never_changed_and_have_no_time(location: Location) -> None:
    application = ApplicationDatabase(location.application_dsn)
    location.execute(
        "alter table training_data alter updated_at drop not null, alter updated_at drop default"
    )
    location.teach("a")
    before = marker_of(application)
    location.teach("b")
    after = marker_of(application)
    location.execute("update training_data set updated_at = now() where content = 'a'")
    assert len({before, after, marker_of(application)}) == 3


def test_a_row_without_content_is_rejected_and_the_others_are_taken(location: Location) -> None:
    location.execute("alter table training_data alter content drop not null")
    location.execute(
        "insert into training_data (connection_id, kind, content) values (7, 'documentation', null)"
    )
    location.teach("Customers buy.")
    assert [item.reason for item in location.collect().items] == ["it is empty", ""]


def test_an_application_that_is_down_is_named_without_its_password() -> None:
    with pytest.raises(ApplicationUnavailable) as failure:
        read_markers(ApplicationDatabase("postgresql://u:hidden@127.0.0.1:9/app"), had_some=False)
    assert "127.0.0.1:9/app" in str(failure.value)
    assert "hidden" not in str(failure.value)


def registered(connection_id: str, is_active: bool = True) -> RegisteredConnection:
    return RegisteredConnection(
        connection_id, f"p{connection_id}", "d", "postgresql", is_active, "ok", ""
    )


@pytest.mark.parametrize(
    ("now", "published", "live", "indexed", "wish"),
    [
        ("b", "a", 1, 1, "training data b"),
        ("a", "a", 1, 1, None),
        ("", "a", 1, 1, "training data "),
        ("", "", 1, 1, None),
        ("b", None, 1, 1, "training data b"),
        ("a", "a", 1, 2, "snapshot 2"),
        ("a", "a", 2, 1, None),
        ("b", "a", None, 1, "snapshot 1"),
        ("b", "a", None, None, None),
    ],
)
def test_wishes(
    now: str, published: str | None, live: int | None, indexed: int | None, wish: str | None
) -> None:
    wishes = wishes_of(
        [registered("1"), registered("2", is_active=False)],
        now={key: now for key in "12" if now},
        published=dict.fromkeys("12", published),
        live={key: live for key in "12" if live},
        indexed={key: indexed for key in "12" if indexed},
        vanished=(),
        trained={},
        model=None,
    )
    assert wishes == ({"1": wish} if wish else {})


def test_what_vanished_is_wished_for_unless_its_connection_is_paused() -> None:
    wishes = wishes_of(
        [registered("1"), registered("2", is_active=False)],
        now={},
        published={"1": "", "2": ""},
        live={"1": 1, "2": 1},
        indexed={"1": 1, "2": 1},
        vanished={"1", "2"},
        trained={},
        model=None,
    )
    assert wishes == {"1": "vanished"}


@pytest.mark.parametrize(
    ("trained", "now", "is_wished"),
    [
        ({"m@a"}, "m@a", False),
        ({"m@a"}, "m@b", True),
        ({"m@a"}, "n@a", True),
        ({"m@a", "m@b"}, "m@b", False),
        ({"m@a"}, None, False),
        (None, "m@b", False),
    ],
    ids=["same", "pulled again", "another", "held beside", "away", "nothing trained"],
)
def test_another_model_is_wished_for_where_none_trained_with_it(
    trained: set[str] | None, now: str | None, is_wished: bool
) -> None:
    wishes = wishes_of(
        [registered("1")],
        now={},
        published={"1": ""},
        live={"1": 1},
        indexed={"1": 1},
        vanished=(),
        trained={"1": trained} if trained else {},
        model=now,
    )
    assert wishes == ({"1": f"model {now}"} if is_wished else {})
