"""Breaking changes are told once, for whom and what to do, and told once when they are undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import msgspec
import pytest
import sqlalchemy as sa

from twd_schema.drift.alerts import change_key
from twd_schema.drift.breaking_changes import BreakingChanges, Told
from twd_schema.drift.changes import Change, SchemaDiff
from twd_schema.drift.diff import diff_snapshots
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.resources.stores import ApplicationDatabaseResource, MetadataStoreResource
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.store.connections import ConnectionRegistry, RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore
from twd_shared.store.tables import alerts

from ..webhook_server import Answer, WebhookServer
from .changed_schemas import FULL, LESS, change, removed, schema, table

LINK = "http://ui/runs/1"


@pytest.fixture
def resources(
    resources: dict[str, Any], metadata_dsn: str, application_dsn: str, webhook: WebhookServer
) -> Iterator[dict[str, Any]]:
    """The location's resources, with a webhook."""
    store = MetadataStoreResource(dsn=metadata_dsn, webhook_url=webhook.url)
    application = ApplicationDatabaseResource(dsn=application_dsn)
    yield {**resources, "metadata_store": store, "application": application}
    store.database.close()


# --- through the assets, on a real database -------------------------------------------------


class Shop:
    """Connection 7 with its database, synced by the location's own job."""

    def __init__(
        self,
        dsn: str,
        location: dg.Definitions,
        instance: dg.DagsterInstance,
        resources: dict[str, Any],
        execute: Callable[..., None],
    ) -> None:
        self._dsn, self._execute = dsn, execute
        self._location, self._instance, self._resources = location, instance, resources

    def change(self, *statements: str) -> None:
        self._execute(self._dsn, *statements)

    def sync(self, job: str = "schema_sync_job") -> None:
        done = self._location.resolve_job_def(job).execute_in_process(
            instance=self._instance, partition_key="shop", raise_on_error=False
        )
        assert done.success

    def deliver(self) -> str:
        """A tick of the sensor that delivers; gives what it says."""
        sensor = self._location.resolve_sensor_def("alert_delivery_sensor")
        store = {"metadata_store": self._resources["metadata_store"]}
        with dg.build_sensor_context(instance=self._instance, resources=store) as context:
            said = sensor(context)
        assert isinstance(said, dg.SkipReason)
        return said.skip_message or ""


@pytest.fixture
def shop(
    services: Any,
    catalog: Any,
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    execute: Callable[..., None],
) -> Shop:
    dsn = services.database()
    execute(dsn, "create table invoices (id int primary key, total numeric(10,2), note text)")
    catalog.add(7, "shop", dsn)
    listed = resources["catalog"].catalog.listing().connections
    resources["metadata_store"].connections.register(listed)
    instance.add_dynamic_partitions("source_databases", ["shop"])
    made = Shop(dsn, location, instance, resources, execute)
    made.sync("schema_import_job")
    return made


def test_a_column_that_is_dropped_and_comes_back_is_told_once_each_and_again_the_next_time(
    shop: Shop, webhook: WebhookServer
) -> None:
    drop, restore = (
        "alter table invoices drop total",
        "alter table invoices add total numeric(10,2)",
    )
    for statement in (drop, None, restore, None, drop, restore):
        if statement:
            shop.change(statement)
        shop.sync()
    assert shop.deliver() == "4 alerts delivered, 0 wait."
    broken = "shop: breaking schema change of public.invoices.total"
    recovered = "recovered: shop: public.invoices.total"
    assert webhook.titles == [broken, recovered, broken, recovered]
    assert [item["severity"] for item in webhook.taken] == ["breaking", "recovered"] * 2
    assert len({item["key"] for item in webhook.taken}) == 4
    first = webhook.taken[0]
    assert "Column public.invoices.total was removed" in first["body"]
    assert "What to do: Stop using it in queries" in first["body"]
    assert first["database"] == "shop"
    assert "/runs/" in first["link"]


def test_a_webhook_that_is_down_does_not_fail_the_sync_nor_lose_its_alert(
    shop: Shop, webhook: WebhookServer, resources: dict[str, Any]
) -> None:
    webhook.answer = Answer(500)
    shop.change("drop table invoices; create table orders (id int)")
    shop.sync()
    assert shop.deliver() == "0 alerts delivered, 1 wait."
    with resources["metadata_store"].database.begin() as transaction:
        transaction.execute(sa.update(alerts).values(not_before=None))
    webhook.answer = Answer()
    assert shop.deliver() == "1 alerts delivered, 0 wait."
    assert webhook.titles == ["shop: breaking schema change of public.invoices"]


# --- what is told of a diff -----------------------------------------------------------------


class Teller:
    """Tells the changes of connection 7 from snapshot to snapshot."""

    def __init__(self, database: MetadataDatabase, source: RegisteredConnection) -> None:
        self._database, self._source = database, source
        self.versions: list[Snapshot] = []

    def tell(self, after: Snapshot, since: int | None = None, **consequences: str) -> Told:
        """Tell a new version's changes, from version `since` or the one before."""
        self.versions.append(after)
        return self.again(since, **consequences)

    def again(self, since: int | None = None, **consequences: str) -> Told:
        """Tell the newest version's changes once more."""
        version = len(self.versions)
        base = version - 1 if since is None else since
        before = self.versions[base - 1] if base else None
        diff = diff_snapshots(before, self.versions[-1], base, version)
        hit = {
            change: consequences[change.member]
            for change in diff.changes
            if change.member in consequences
        }
        told = BreakingChanges(self._database)
        return told.tell(self._source, diff, self.versions[-1], hit, LINK)

    def tell_changes(self, after: Snapshot, *changes: Change) -> Told:
        """Tell these changes of a new version."""
        self.versions.append(after)
        version = len(self.versions)
        diff = SchemaDiff(from_version=version - 1, to_version=version, changes=changes)
        return BreakingChanges(self._database).tell(self._source, diff, after, {}, LINK)

    @property
    def rows(self) -> list[Any]:
        with self._database.begin() as transaction:
            return list(transaction.execute(sa.select(alerts).order_by(alerts.c.sequence)))


@pytest.fixture
def teller(metadata_dsn: str, connection_to: Callable[..., Any]) -> Iterator[Teller]:
    database = MetadataDatabase(metadata_dsn)
    [source] = ConnectionRegistry(database).register([connection_to("postgresql://u@h/shop")])
    yield Teller(database, source)
    database.close()


def test_a_first_reading_tells_nothing(teller: Teller) -> None:
    assert teller.tell(schema(FULL)) == Told(0, 0)
    assert teller.rows == []


def test_a_message_says_whom_the_change_hits(teller: Teller) -> None:
    teller.tell(schema(FULL))
    teller.tell(schema(LESS), total="breaks 2 training items")
    [row] = teller.rows
    assert "\nFor whom: breaks 2 training items\n" in row.body
    assert (row.severity, row.link, row.database_name) == ("breaking", LINK, "shop")


def test_a_change_that_is_told_is_not_told_again_when_the_index_stayed_behind(
    teller: Teller,
) -> None:
    teller.tell(schema(FULL))
    assert teller.tell(schema(LESS)) == Told(1, 0)
    # The run told the change and failed: the next diff starts at the same version again.
    later = schema(LESS, table("new", id="integer"))
    assert teller.tell(later, since=1) == Told(0, 0)
    assert len(teller.rows) == 1


def test_more_than_ten_changes_make_one_message_and_recover_each(teller: Teller) -> None:
    columns = {f"c{number:02}": "text" for number in range(45)}
    teller.tell(schema(table("wide", id="integer", **columns)))
    assert teller.tell(schema(table("wide", id="integer"))) == Told(45, 0)
    assert teller.again() == Told(0, 0)
    [row] = teller.rows
    assert row.title == "shop: 45 breaking schema changes"
    lines = row.body.splitlines()
    assert len([line for line in lines if line.startswith("- Column")]) == 30
    assert "- … and 15 more" in lines
    assert lines[-1].startswith("What to do: ")
    assert teller.tell(schema(table("wide", id="integer", c07="text"))) == Told(0, 1)
    assert teller.rows[-1].title == "recovered: shop: public.wide.c07"


def test_a_name_that_holds_line_breaks_or_turns_the_text_stays_on_its_line(teller: Teller) -> None:
    name = "a\nFor whom: nobody\r\x1b[2J\u202egnp\u2066"
    teller.tell(schema(table(name, **{name: "text", "b": "text"})))
    teller.tell(schema(table(name, b="text")))
    teller.tell(schema(table(name, **{name: "text", "b": "text"})))
    shown = "a For whom: nobody [2J gnp"
    subject = f"public.{shown} .{shown}"
    assert [row.title for row in teller.rows] == [
        f"shop: breaking schema change of {subject}",
        f"recovered: shop: {subject}",
    ]
    sentence = f"Column {subject} was removed (it was text)."
    broken, recovered = (row.body.splitlines() for row in teller.rows)
    assert (broken[0], recovered[1]) == (sentence, f"It had been told: {sentence}")


def test_ten_changes_make_ten_messages(teller: Teller) -> None:
    columns = {f"c{number}": "text" for number in range(10)}
    teller.tell(schema(table("wide", id="integer", **columns)))
    teller.tell(schema(table("wide", id="integer")))
    assert len(teller.rows) == 10


def test_a_type_that_is_set_back_is_a_recovery_and_no_new_breaking_change(teller: Teller) -> None:
    teller.tell(schema(FULL))
    assert teller.tell(schema(table("orders", id="text", total="numeric", note="text"))) == Told(
        1, 0
    )
    assert teller.tell(schema(FULL)) == Told(0, 1)
    assert [row.severity for row in teller.rows] == ["breaking", "recovered"]
    assert "change back what was adapted" in teller.rows[1].body


def test_a_type_that_is_set_back_over_several_is_the_recovery_of_each(teller: Teller) -> None:
    for name in ("integer", "uuid", "text", "numeric"):
        teller.tell(schema(table("orders", id=name)))
    assert teller.tell(schema(table("orders", id="uuid"))) == Told(0, 2)
    assert teller.tell(schema(table("orders", id="integer"))) == Told(0, 1)
    assert [row.severity for row in teller.rows] == ["breaking"] * 3 + ["recovered"] * 3


def test_a_wider_type_breaks_nothing_and_going_on_from_it_is_one_way(teller: Teller) -> None:
    assert teller.tell(schema(table("orders", id="character varying(9)"))) == Told(0, 0)
    assert teller.tell(schema(table("orders", id="character varying(12)"))) == Told(0, 0)
    assert teller.tell(schema(table("orders", id="integer"))) == Told(1, 0)
    assert teller.tell(schema(table("orders", id="text"))) == Told(0, 1)


def test_a_column_that_comes_back_with_another_type_has_not_recovered(teller: Teller) -> None:
    teller.tell(schema(FULL))
    teller.tell(schema(LESS))
    assert teller.tell(schema(table("orders", id="integer", note="text", total="text"))) == Told(
        0, 0
    )


@pytest.mark.parametrize(
    "other",
    [table("orders", nr="uuid"), table("orders", id="integer", total="text", note="text")],
    ids=["other columns", "another type"],
)
def test_a_table_recovers_with_the_columns_that_it_had(teller: Teller, other: Table) -> None:
    teller.tell(schema(FULL))
    assert teller.tell(schema()) == Told(1, 0)
    assert teller.tell(schema(other)) == Told(0, 0)
    more = table("orders", note="text", id="integer", at="date", total="numeric")
    assert teller.tell(schema(more)).recovered == 1
    assert "recovered: shop: public.orders" in [row.title for row in teller.rows]


def test_a_table_whose_name_another_one_took_does_not_recover_by_that(teller: Teller) -> None:
    teller.tell(schema(FULL, table("old_orders", key="uuid", at="date", who="text")))
    lost = msgspec.structs.replace(
        change("table_removed", "table", "public", "orders"), columns=(("id", "integer"),)
    )
    after = schema(table("orders", key="uuid", at="date", who="text"))
    assert teller.tell_changes(after, lost) == Told(1, 0)
    assert teller.tell(schema(*after.tables, table("new", id="integer"))) == Told(0, 0)


@pytest.mark.parametrize(
    ("prepared", "statements", "told"),
    [
        (
            "create table bills_new (total numeric)",
            ("drop table bills", "alter table bills_new rename to bills"),
            "Table public.bills_new was renamed to public.bills.",
        ),
        (
            "alter table bills add total_new numeric",
            ("alter table bills drop total", "alter table bills rename total_new to total"),
            "Column public.bills.total_new was renamed to total.",
        ),
    ],
    ids=["table", "column"],
)
def test_what_is_replaced_by_its_equal_is_not_told_as_removed(
    teller: Teller,
    services: Any,
    reader: SchemaReader,
    connection_to: Callable[..., Any],
    execute: Callable[..., None],
    prepared: str,
    statements: tuple[str, ...],
    told: str,
) -> None:
    dsn = services.database()
    execute(dsn, "create table bills (total numeric)", prepared)
    teller.tell(reader.read(connection_to(dsn)))
    execute(dsn, *statements)
    assert teller.tell(reader.read(connection_to(dsn))) == Told(1, 0)
    assert [row.body.splitlines()[0] for row in teller.rows] == [told]


@pytest.mark.parametrize(
    "statements",
    [
        (
            "create table other (like bills)",
            "alter table bills rename to old",
            "alter table other rename to bills",
        ),
        ("alter table bills rename to invoices", "create view bills as select * from invoices"),
        ("alter table bills rename total to old", "alter table bills add total numeric"),
    ],
    ids=["table", "view", "column"],
)
def test_what_goes_on_to_work_by_its_old_name_is_not_told(
    teller: Teller,
    services: Any,
    reader: SchemaReader,
    connection_to: Callable[..., Any],
    execute: Callable[..., None],
    statements: tuple[str, ...],
) -> None:
    dsn = services.database()
    execute(dsn, "create table bills (total numeric, note text)")
    teller.tell(reader.read(connection_to(dsn)))
    execute(dsn, *statements)
    assert teller.tell(reader.read(connection_to(dsn))) == Told(0, 0)


def test_a_recovery_is_promised_only_where_it_would_be_noticed(teller: Teller) -> None:
    teller.tell(schema(FULL))
    renamed = {"before": "public.orders", "after": "public.sales"}
    after = schema(table("sales", id="integer"), table("orders", key="uuid"))
    teller.tell_changes(after, change("table_renamed", "table", "public", "sales", **renamed))
    teller.tell_changes(schema(*after.tables), removed("public", "orders", "total"))
    promises = ["A message follows when it is undone." in row.body for row in teller.rows]
    assert promises == [False, True]


def test_a_rename_is_titled_by_both_names_and_its_end_by_the_old_one(teller: Teller) -> None:
    teller.tell(schema(FULL))
    renamed = {"before": "public.orders", "after": "public.sales", "evidence": "similarity"}
    of_table = change("table_renamed", "table", "public", "sales", **renamed)
    renamed = {"before": "note", "after": "text", "evidence": "server"}
    of_column = change("column_renamed", "table", "public", "sales", "text", **renamed)
    teller.tell_changes(schema(table("sales", id="integer", text="text")), of_table, of_column)
    teller.tell_changes(schema(FULL))
    assert sorted(row.title for row in teller.rows) == [
        "recovered: shop: public.orders",
        "recovered: shop: public.sales.note",
        "shop: breaking schema change of public.orders, probably renamed to public.sales",
        "shop: breaking schema change of public.sales.note, renamed to text",
    ]


def test_a_rename_whose_old_name_lacks_columns_is_told_with_them_and_with_its_end(
    teller: Teller,
) -> None:
    teller.tell(schema(FULL))
    named = {"before": "public.orders", "after": "public.sales", "columns": (("note", "text"),)}
    renamed = change("table_renamed", "table", "public", "sales", **named)
    sales, view = table("sales", id="integer"), table("orders", id="integer", total="numeric")
    teller.tell_changes(schema(sales, view), renamed)
    assert teller.tell(schema(sales, FULL)) == Told(0, 1)
    [broken] = [row for row in teller.rows if row.severity == "breaking"]
    assert broken.title == (
        "shop: breaking schema change of public.orders, renamed to public.sales (1 column lost)"
    )
    assert broken.body.splitlines()[1] == (
        "What to do: Use its new name, public.sales, in queries and training items that need what"
        " its old name lacks. A message follows when it is undone."
    )


def test_a_connection_whose_history_was_forgotten_is_told_the_same_change_anew(
    metadata_dsn: str, connection_to: Callable[[str], Connection]
) -> None:
    database = MetadataDatabase(metadata_dsn)
    registry, store = ConnectionRegistry(database), SnapshotStore(database)
    for _ in range(2):
        [source] = registry.register([connection_to("postgresql://u@h/shop")])
        versions = [store.save("7", held).version.version for held in (schema(FULL), schema(LESS))]
        diff = diff_snapshots(schema(FULL), schema(LESS), *versions)
        BreakingChanges(database).tell(source, diff, schema(LESS), {}, LINK)
        registry.deactivate("7")
        assert store.forget_gone(datetime.now(UTC) + timedelta(seconds=1)) == ["7"]
    with database.begin() as transaction:
        assert transaction.execute(sa.select(sa.func.count()).select_from(alerts)).scalar() == 2
    database.close()


def test_two_connections_tell_the_same_change_each() -> None:
    lost = removed("public", "orders", "total")
    assert change_key("7", lost, 2, "") != change_key("8", lost, 2, "")


def test_keys_of_names_that_hold_separators_differ() -> None:
    keys = {
        change_key("7", removed(*names), 2, "")
        for names in (("a", "b/c", "d"), ("a/b", "c", "d"), ("a", "b", "c/d"), ("a:b", "c", "d"))
    }
    assert len(keys) == 4


def test_a_column_recovers_though_its_table_got_its_old_name_back_as_well(teller: Teller) -> None:
    teller.tell(schema(FULL))
    renamed = change(
        "table_renamed", "table", "public", "sales", before="public.orders", after="public.sales"
    )
    lost = removed("public", "sales", "total")
    after = schema(table("sales", id="integer", note="text"))
    assert teller.tell_changes(after, renamed, lost) == Told(2, 0)
    returned = change(
        "table_renamed", "table", "public", "orders", before="public.sales", after="public.orders"
    )
    assert teller.tell_changes(schema(FULL), returned) == Told(0, 2)
