"""A change of the schema puts what it breaks into quarantine, nothing else, and gives it back."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from twd_shared.clients.catalog import Connection
from twd_shared.clients.training_options import TrainingOptions
from twd_shared.schema_model.identities import Identities, Identity
from twd_shared.schema_model.models import Column, DomainType, EnumType, Snapshot, Table
from twd_shared.sql.grammar import PostgresGrammar
from twd_training.examples.collecting import Collected
from twd_training.examples.models import TrainingItem
from twd_training.knowledge_base.material import read_material

from .conftest import Location

pytestmark = pytest.mark.integration

# (schema, name) → (the server's id, number by column).
Schema = Mapping[tuple[str, str], tuple[int, Mapping[str, int]]]

CUSTOMER, INVOICE = ("public", "customer"), ("public", "invoice")
SHOP: Schema = {
    CUSTOMER: (1, {"customer_id": 1, "full_name": 2, "city": 3}),
    INVOICE: (2, {"invoice_id": 1, "customer_id": 2, "total": 3}),
}
NAMES = "select full_name from customer"
TOTALS = "select customer_id, sum(total) from invoice group by customer_id"


def snapshot(schema: Schema, *, ids: bool = True, origin: str = "here") -> Snapshot:
    """What is read of a database with these tables."""
    tables = [
        Table(
            schema=name[0],
            name=name[1],
            kind="table",
            columns=tuple(Column(name=column, type="text") for column in columns),
        )
        for name, (_, columns) in sorted(schema.items())
    ]
    known = [
        Identity("table", *name, number, tuple(columns), tuple(columns.values()))
        for name, (number, columns) in sorted(schema.items())
    ]
    return Snapshot(
        dialect="postgresql",
        database_name="shop",
        server_version="18",
        tables=tuple(tables),
        identities=Identities(origin=origin, objects=tuple(known)) if ids else None,
    )


def changed(schema: Schema, table: tuple[str, str], **columns: int | None) -> Schema:
    """The schema with columns of one table added, renumbered, or taken away (None)."""
    number, before = schema[table]
    now = {name: n for name, n in {**before, **columns}.items() if n is not None}
    in_order = dict(sorted(now.items(), key=lambda column: column[1]))
    return {**schema, table: (number, in_order)}


class Shop:
    """A connection whose schema and training data tests change."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self.becomes(SHOP)
        location.teach(NAMES, "Who?")
        location.teach(TOTALS, "How much?")
        self.collect()

    def becomes(self, schema: Schema, *, ids: bool = True) -> int:
        saved = self._location.store.snapshots.save("7", snapshot(schema, ids=ids))
        return saved.version.version

    def collect(self) -> Collected:
        return self._location.collect()

    def after(self, schema: Schema) -> Collected:
        self.becomes(schema)
        return self.collect()


@pytest.fixture
def shop(location: Location) -> Shop:
    return Shop(location)


def of(collected: Collected, question: str) -> TrainingItem:
    return next(item for item in collected.items if item.question == question)


def test_exactly_what_a_change_breaks_is_put_into_quarantine(shop: Shop) -> None:
    version = shop.becomes(changed(SHOP, CUSTOMER, full_name=None))
    collected = shop.collect()
    broken, whole = of(collected, "Who?"), of(collected, "How much?")
    assert (broken.accepted, broken.quarantined_since) == (False, version)
    assert broken.reason == "column full_name does not exist in public.customer"
    assert (whole.accepted, whole.quarantined_since) == (True, None)
    assert (collected.outcome.quarantined, collected.outcome.rejected) == (1, 0)


def test_it_is_given_back_when_the_column_returns(shop: Shop) -> None:
    first = shop.after(changed(SHOP, CUSTOMER, full_name=None))
    # Another column of that name: the server counts on.
    back = shop.after(changed(SHOP, CUSTOMER, full_name=4))
    assert (first.outcome.quarantined, back.outcome.quarantined) == (1, 0)
    assert (back.outcome.restored, of(back, "Who?").accepted) == (1, True)
    assert of(back, "Who?").quarantined_since is None


def test_a_quarantine_keeps_its_beginning(shop: Shop) -> None:
    since = shop.becomes(changed(SHOP, CUSTOMER, full_name=None))
    shop.collect()
    later = shop.after(changed(SHOP, CUSTOMER, full_name=None, city=None))
    assert of(later, "Who?").quarantined_since == since
    assert of(later, "Who?").accepted_version == since - 1


def test_a_renamed_column_gives_a_proposal_that_fits(shop: Shop) -> None:
    collected = shop.after(changed(SHOP, CUSTOMER, full_name=None, name=2))
    broken = of(collected, "Who?")
    assert (broken.is_quarantined, broken.proposal) == (True, "select name from customer")


def test_a_renamed_table_gives_a_proposal_over_several_versions(shop: Shop) -> None:
    client = {("public", "client"): SHOP[CUSTOMER], INVOICE: SHOP[INVOICE]}
    shop.after(client)
    collected = shop.after(changed(client, ("public", "client"), full_name=None, name=2))
    assert of(collected, "Who?").proposal == "select name from client"


def unreachable(location: Location) -> Connection:
    """The connection as one whose source is to be asked, and is away."""
    return replace(
        location.listed,
        training=TrainingOptions(explain=True),
        connection_string="postgresql://nobody:hidden@127.0.0.1:9/none",
    )


def test_a_proposal_that_postgresql_cannot_parse_is_not_made(
    shop: Shop, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    location.teach("select city from customer limit 5, 10", "Where?")
    with monkeypatch.context() as patch:
        # As a release did that did not ask.
        patch.setattr(PostgresGrammar, "refused", lambda *_: set[int]())
        assert of(shop.collect(), "Where?").accepted
    collected = shop.after(changed(SHOP, CUSTOMER, full_name=None, name=2, city=None, town=3))
    assert (of(collected, "Where?").is_quarantined, of(collected, "Where?").proposal) == (True, "")
    assert of(collected, "Who?").proposal == "select name from customer"


def test_a_proposal_waits_for_a_source_that_is_away(shop: Shop, location: Location) -> None:
    shop.becomes(changed(SHOP, CUSTOMER, full_name=None, name=2))
    collected = location.collect(unreachable(location))
    assert collected.unplanned
    assert (of(collected, "Who?").is_quarantined, of(collected, "Who?").proposal) == (True, "")


def test_a_proposal_that_was_made_stays_while_its_source_is_away(
    shop: Shop, location: Location
) -> None:
    shop.after(changed(SHOP, CUSTOMER, full_name=None, name=2))
    collected = location.collect(unreachable(location))
    assert collected.unplanned
    assert of(collected, "Who?").proposal == "select name from customer"


@pytest.mark.parametrize(
    "restored",
    [
        snapshot(changed(SHOP, CUSTOMER, full_name=4)),
        snapshot({**SHOP, CUSTOMER: (9, SHOP[CUSTOMER][1])}),
        snapshot(SHOP, origin="a server that was restored from a dump"),
        snapshot(SHOP, ids=False),
    ],
    ids=["a new column", "a new table", "another server", "no ids"],
)
def test_it_is_given_back_when_the_old_name_returns_and_the_new_one_is_gone(
    shop: Shop, location: Location, restored: Snapshot
) -> None:
    renamed = shop.after(changed(SHOP, CUSTOMER, full_name=None, name=2))
    assert of(renamed, "Who?").is_quarantined
    location.store.snapshots.save("7", restored)
    assert of(shop.collect(), "Who?").accepted


def test_it_is_given_back_when_its_table_is_made_again_under_the_old_name(shop: Shop) -> None:
    shop.after({("public", "client"): SHOP[CUSTOMER], INVOICE: SHOP[INVOICE]})
    shop.after({INVOICE: SHOP[INVOICE]})
    made_again = {**SHOP, CUSTOMER: (9, SHOP[CUSTOMER][1])}
    assert of(shop.after(made_again), "Who?").accepted


def test_it_stays_in_quarantine_while_another_column_has_the_old_name(shop: Shop) -> None:
    taken = changed(SHOP, CUSTOMER, full_name=3, city=None, name=2)
    assert of(shop.after(taken), "Who?").is_quarantined
    assert of(shop.after(changed(taken, CUSTOMER, name=None)), "Who?").is_quarantined


def test_a_column_that_is_gone_gives_no_proposal(shop: Shop) -> None:
    assert of(shop.after(changed(SHOP, CUSTOMER, full_name=None)), "Who?").proposal == ""


def test_a_pair_whose_columns_were_swapped_is_no_longer_right(shop: Shop) -> None:
    collected = shop.after(changed(SHOP, CUSTOMER, full_name=3, city=2))
    broken = of(collected, "Who?")
    assert broken.reason == (
        "public.customer.full_name is called public.customer.city now, "
        "and something else has its name"
    )
    assert broken.proposal == "select city from customer"
    assert of(shop.after(SHOP), "Who?").accepted


@pytest.mark.parametrize(
    "sql",
    [
        "select max(full_name) as full_name, city from customer group by city",
        "with c as (select full_name as city, city as full_name from customer) select city from c",
        "select c.customer_id, c.city from customer c join client using (full_name)",
    ],
)
def test_a_pair_with_both_of_two_swapped_columns_is_no_longer_right(
    shop: Shop, location: Location, sql: str
) -> None:
    beside: Schema = {**SHOP, ("public", "client"): (5, {"full_name": 1})}
    shop.becomes(beside)
    location.teach(sql, "Both?")
    assert of(shop.collect(), "Both?").accepted
    swapped = of(shop.after(changed(beside, CUSTOMER, full_name=3, city=2)), "Both?")
    assert (swapped.is_quarantined, swapped.proposal) == (True, "")
    assert of(shop.after(beside), "Both?").accepted


def test_a_pair_that_names_none_of_two_swapped_columns_stays(
    shop: Shop, location: Location
) -> None:
    location.teach("with c as (select * from customer) select count(*) as city from c", "All?")
    location.teach("select total as city from customer natural join invoice", "Joined?")
    shop.collect()
    collected = shop.after(changed(SHOP, CUSTOMER, full_name=3, city=2))
    assert of(collected, "All?").accepted
    assert of(collected, "Joined?").accepted


@pytest.mark.parametrize(
    "renamed", [{}, {"full_name": None, "name": 2}], ids=["as it was", "altered"]
)
def test_a_pair_stays_with_the_name_when_a_new_table_is_swapped_in(
    shop: Shop, renamed: dict[str, int | None]
) -> None:
    before = changed(SHOP, CUSTOMER, **renamed)[CUSTOMER]
    loaded: Schema = {**SHOP, ("public", "customer_old"): before, CUSTOMER: (9, SHOP[CUSTOMER][1])}
    assert of(shop.after(loaded), "Who?").accepted


def test_a_pair_stays_with_the_name_when_a_table_that_was_seen_beside_it_is_swapped_in(
    shop: Shop,
) -> None:
    beside: Schema = {**SHOP, ("public", "customer_new"): (9, SHOP[CUSTOMER][1])}
    assert of(shop.after(beside), "Who?").accepted
    loaded = {**SHOP, ("public", "customer_old"): SHOP[CUSTOMER], CUSTOMER: (9, SHOP[CUSTOMER][1])}
    assert of(shop.after(loaded), "Who?").accepted


def test_a_pair_is_no_longer_right_when_its_table_swaps_names_with_another(shop: Shop) -> None:
    client, wider = ("public", "client"), (9, {**SHOP[CUSTOMER][1], "since": 4})
    shop.after({**SHOP, client: wider})
    swapped = of(shop.after({**SHOP, client: SHOP[CUSTOMER], CUSTOMER: wider}), "Who?")
    assert swapped.proposal == "select full_name from client"


def test_a_pair_is_no_longer_right_when_the_new_table_lacks_a_column(shop: Shop) -> None:
    less = (9, {"customer_id": 1, "full_name": 2})
    broken = of(
        shop.after({**SHOP, ("public", "customer_old"): SHOP[CUSTOMER], CUSTOMER: less}), "Who?"
    )
    assert broken.proposal == "select full_name from customer_old"


def test_a_pair_whose_table_moved_to_another_schema_is_told_where_it_is(shop: Shop) -> None:
    collected = shop.after({("sales", "customer"): SHOP[CUSTOMER], INVOICE: SHOP[INVOICE]})
    broken = of(collected, "Who?")
    assert broken.reason == "public.customer is called sales.customer now"
    assert broken.proposal == "select full_name from sales.customer"


def test_a_pair_that_a_rename_does_not_touch_stays(shop: Shop) -> None:
    collected = shop.after(changed(SHOP, CUSTOMER, city=None, town=3))
    assert [item.accepted for item in collected.items] == [True, True]


def test_a_pair_that_reads_more_than_before_is_no_longer_right(
    shop: Shop, location: Location
) -> None:
    location.teach("select city from customer natural join invoice", "Where?")
    shop.collect()
    collected = shop.after(changed(SHOP, INVOICE, city=4))
    assert of(collected, "Where?").reason == "it reads public.invoice.city as well now"
    assert of(shop.after(SHOP), "Where?").accepted


def test_a_pair_whose_name_another_table_took_is_no_longer_right(shop: Shop) -> None:
    taken = {
        ("public", "client"): SHOP[CUSTOMER],
        CUSTOMER: (9, {"customer_id": 1, "full_name": 2}),
        INVOICE: SHOP[INVOICE],
    }
    broken = of(shop.after(taken), "Who?")
    assert broken.is_quarantined
    assert broken.proposal == "select full_name from client"


def test_without_the_servers_ids_nothing_is_proposed(shop: Shop) -> None:
    shop.becomes(changed(SHOP, CUSTOMER, full_name=None, name=2), ids=False)
    broken = of(shop.collect(), "Who?")
    assert (broken.is_quarantined, broken.proposal) == (True, "")


def test_a_proposal_outlives_the_version_that_it_was_made_of(
    shop: Shop, location: Location
) -> None:
    renamed = changed(SHOP, CUSTOMER, full_name=None, name=2)
    shop.after(renamed)
    location.execute_metadata("delete from twd.snapshots where version < 3 and connection_id = '7'")
    assert of(shop.after(changed(renamed, INVOICE, note=4)), "Who?").proposal == (
        "select name from customer"
    )


def test_what_was_never_right_is_rejected_and_not_in_quarantine(
    shop: Shop, location: Location
) -> None:
    location.teach("select nope from customer", "What?")
    collected = shop.collect()
    wrong = of(collected, "What?")
    assert (wrong.accepted, wrong.is_quarantined, collected.outcome.rejected) == (False, False, 1)


def test_an_item_that_is_written_anew_is_judged_anew(shop: Shop, location: Location) -> None:
    shop.after(changed(SHOP, CUSTOMER, full_name=None))
    location.execute("update training_data set content = 'select nope from customer' where id = 1")
    wrong = of(shop.collect(), "Who?")
    assert (wrong.is_quarantined, wrong.accepted_version) == (False, None)
    location.execute("update training_data set content = 'select city from customer' where id = 1")
    assert of(shop.collect(), "Who?").accepted


def test_a_pair_that_compares_with_a_label_of_an_enum_needs_the_label(
    shop: Shop, location: Location
) -> None:
    location.teach("select full_name from customer where city = 'here'", "Who is here?")
    changed_to = msgspec.structs.replace
    column = Column(name="city", type="public.place")

    def becomes(*labels: str) -> None:
        before = snapshot(SHOP)
        [customer, invoice] = before.tables
        columns = tuple(column if one.name == "city" else one for one in customer.columns)
        ids = before.identities
        assert ids is not None
        enum = Identity("enum", "public", "place", 9, labels, tuple(range(len(labels))))
        saved = changed_to(
            before,
            tables=(changed_to(customer, columns=columns), invoice),
            enums=(EnumType(schema="public", name="place", labels=labels),),
            identities=changed_to(ids, objects=(*ids.objects, enum)),
        )
        location.store.snapshots.save("7", saved)

    becomes("here", "there")
    assert of(shop.collect(), "Who is here?").accepted
    becomes("near", "there")
    broken = of(shop.collect(), "Who is here?")
    assert (broken.reason, broken.proposal) == ("public.place.here does not exist any more", "")
    becomes("there", "here")
    assert of(shop.collect(), "Who is here?").reason == (
        "public.place.here is called public.place.there now, and something else has its name"
    )
    becomes("here", "there")
    assert of(shop.collect(), "Who is here?").accepted


def test_documentation_is_broken_by_the_loss_of_what_it_tells_of(
    shop: Shop, location: Location
) -> None:
    location.teach("The full_name of a customer is what the invoice is sent to.")
    location.teach("An invoice is never deleted.")
    shop.collect()
    lost = shop.after(changed(SHOP, CUSTOMER, full_name=None))
    told = {item.content[:3]: item for item in lost.items if item.kind == "documentation"}
    assert told["The"].reason == "public.customer.full_name does not exist any more"
    assert told["The"].is_quarantined
    assert told["An "].accepted
    assert all(item.accepted for item in shop.after(SHOP).items)


def test_documentation_of_tables_of_one_name_is_whole_as_long_as_there_is_one(
    shop: Shop, location: Location
) -> None:
    tenants: Schema = {**SHOP, ("tenant", "customer"): (5, {"customer_id": 1, "city": 2})}
    location.teach("The city of a customer is where we deliver.")
    location.teach("Our first tenant.customer lives in the city.")
    assert all(item.accepted for item in shop.after(tenants).items)
    told = {item.content[:3]: item for item in shop.after(SHOP).items}
    assert told["The"].accepted
    assert told["Our"].reason == "tenant.customer does not exist any more"
    lost = shop.after(changed(SHOP, CUSTOMER, city=None))
    assert "public.customer.city does not exist any more" in {item.reason for item in lost.items}


def test_ddl_of_a_view_is_broken_by_the_loss_of_what_it_reads(
    shop: Shop, location: Location
) -> None:
    with_view: Schema = {**SHOP, ("public", "totals"): (3, {"customer_id": 1, "t": 2})}
    location.teach(
        "create view totals as select customer_id, sum(total) as t from invoice group by 1",
        kind="ddl",
    )

    def taught(schema: Schema) -> TrainingItem:
        [item] = [one for one in shop.after(schema).items if one.kind == "ddl"]
        return item

    assert taught(with_view).accepted
    renamed = taught(changed(with_view, INVOICE, total=None, amount=3))
    assert renamed.is_quarantined
    assert renamed.reason == "column total does not exist in public.invoice"
    assert taught(with_view).accepted
    dropped = taught({name: of for name, of in with_view.items() if name != INVOICE})
    assert dropped.is_quarantined
    assert dropped.reason == "table invoice does not exist"


def test_items_that_say_the_same_are_accepted_once(shop: Shop, location: Location) -> None:
    location.teach("select full_name\n  from customer;", "who?")
    collected = shop.collect()
    again = of(collected, "who?")
    assert (again.accepted, again.reason) == (False, "an earlier one says the same")
    assert of(collected, "Who?").accepted
    location.execute("delete from training_data where question = 'Who?'")
    assert of(shop.collect(), "who?").accepted


@pytest.mark.parametrize(
    ("sql", "once_more", "is_repeat"),
    [
        (NAMES, "SELECT full_name -- all of them\n FROM Customer;", True),
        (NAMES, 'select "full_name" from customer', False),
        (f"{NAMES} where city = 'a  b'", f"{NAMES} where city = 'a b'", False),
        (f"{NAMES} where city = 'a'", f"{NAMES} where city = 'A'", False),
        ("select full_name -- x , city\nfrom customer", f"{NAMES} -- x", True),
        (
            "select full_name -- x\n, city from customer",
            "select full_name -- x , city\nfrom customer",
            False,
        ),
    ],
)
def test_sql_says_the_same_only_where_blanks_comments_and_case_of_words_alone_differ(
    shop: Shop, location: Location, sql: str, once_more: str, is_repeat: bool
) -> None:
    location.teach(sql, "which?")
    location.teach(once_more, "Which ?")
    told = [item for item in shop.collect().items if (item.question or "").startswith(("w", "W"))]
    reasons = {item.question: item.reason for item in told if item.question != "Who?"}
    assert reasons == {"which?": "", "Which ?": "an earlier one says the same" * is_repeat}


@pytest.mark.parametrize(
    "once_more", ["Wer  KAUFT für uns?", unicodedata.normalize("NFD", "Wer kauft für uns?")]
)
def test_the_same_question_is_the_same_however_its_letters_are_written(
    shop: Shop, location: Location, once_more: str
) -> None:
    location.teach(NAMES, "Wer kauft für uns?")
    location.teach(NAMES, once_more)
    assert of(shop.collect(), once_more).reason == "an earlier one says the same"


def test_the_same_documentation_is_the_same_however_its_letters_are_written(
    shop: Shop, location: Location
) -> None:
    location.teach("Rechnungen für Kunden: brutto.")
    location.teach(unicodedata.normalize("NFD", "Rechnungen  für Kunden: brutto."))
    told = [item.accepted for item in shop.collect().items if item.kind == "documentation"]
    assert told == [True, False]


def test_an_unchanged_set_is_not_written_again(shop: Shop, location: Location) -> None:
    def written() -> list[tuple[object, ...]]:
        return location.metadata_rows("select item_id, xmin::text from twd.training_items")

    shop.after(changed(SHOP, CUSTOMER, full_name=None))
    before = written()
    assert shop.collect().outcome.unchanged == 2
    assert written() == before


def test_what_says_the_same_as_an_item_in_quarantine_is_not_accepted(
    shop: Shop, location: Location
) -> None:
    shop.after(changed(SHOP, CUSTOMER, full_name=3, city=2))
    location.teach(NAMES, "who?")
    again = of(shop.collect(), "who?")
    assert (again.accepted, again.reason) == (False, "one that says the same is in quarantine")


def test_an_item_comes_back_whose_twin_was_taught_while_it_was_wrong(
    shop: Shop, location: Location
) -> None:
    shop.after(changed(SHOP, CUSTOMER, full_name=3, city=2))
    location.teach(NAMES, "who?")
    shop.collect()
    assert of(shop.after(SHOP), "Who?").accepted


def test_what_said_the_same_is_not_accepted_when_the_item_in_quarantine_is_deleted(
    shop: Shop, location: Location
) -> None:
    location.teach(NAMES, "who?")
    shop.collect()
    shop.after(changed(SHOP, CUSTOMER, full_name=3, city=2))
    location.execute("delete from training_data where question = 'Who?'")
    left = of(shop.collect(), "who?")
    assert (left.is_quarantined, left.proposal) == (True, "select city from customer")


def test_the_earlier_of_two_that_say_the_same_is_the_one_with_the_lower_id(
    shop: Shop, location: Location
) -> None:
    location.execute("update training_data set id = 10 where id = 1")
    location.execute(
        "insert into training_data (id, connection_id, kind, question, content)"
        " values (9, 7, 'question_sql', 'who?', %s)",
        NAMES,
    )
    assert [of(shop.collect(), name).accepted for name in ("who?", "Who?")] == [True, False]


def test_a_label_that_is_gone_breaks_a_pair_also_without_the_servers_ids(
    shop: Shop, location: Location
) -> None:
    location.teach("select full_name from customer where city = 'here'", "Who is here?")

    def becomes(*labels: str) -> None:
        before = snapshot(SHOP, ids=False)
        [customer, invoice] = before.tables
        column = Column(name="city", type="public.spot")
        columns = tuple(column if one.name == "city" else one for one in customer.columns)
        location.store.snapshots.save(
            "7",
            msgspec.structs.replace(
                before,
                tables=(msgspec.structs.replace(customer, columns=columns), invoice),
                enums=(EnumType(schema="public", name="place", labels=labels),),
                domains=(DomainType(schema="public", name="spot", type="public.place"),),
            ),
        )

    becomes("here", "there")
    assert of(shop.collect(), "Who is here?").accepted
    becomes("there")
    assert of(shop.collect(), "Who is here?").reason == "public.place.here does not exist any more"


def test_a_quarantine_outlives_the_retention_of_versions(shop: Shop, location: Location) -> None:
    swapped = changed(SHOP, CUSTOMER, full_name=3, city=2)
    shop.after(swapped)
    shop.becomes(changed(swapped, INVOICE, note=4))
    location.execute_metadata("delete from twd.index_states")
    location.store.snapshots.prune("7", datetime.now(UTC) + timedelta(days=1))
    assert not of(shop.collect(), "Who?").accepted


def test_what_no_run_has_judged_yet_is_not_published_if_it_does_not_fit(
    shop: Shop, location: Location
) -> None:
    shop.becomes(changed(SHOP, CUSTOMER, full_name=None))
    items = read_material("7", location.database).items
    assert [item.question for item in items] == ["How much?"]


def test_what_no_run_has_judged_yet_is_not_published_if_it_means_something_else(
    shop: Shop, location: Location
) -> None:
    location.teach("select city from customer natural join invoice", "Where?")
    shop.collect()
    shop.becomes(changed(changed(SHOP, CUSTOMER, full_name=3, city=2), INVOICE, city=4))
    items = read_material("7", location.database).items
    assert [item.question for item in items] == ["How much?"]


def test_a_row_of_rubbish_is_rejected_and_spoils_no_other(shop: Shop, location: Location) -> None:
    location.teach("rows ? select from", "What?")
    collected = shop.collect()
    assert of(collected, "What?").reason.startswith("our parser cannot read it")
    assert of(collected, "Who?").accepted
