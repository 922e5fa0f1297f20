"""Documents of wide tables: divided under the model's budget, with nothing lost."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from twd_schema.indexing.documents import Document, each_document
from twd_shared.clients.catalog import Connection
from twd_shared.clients.token_budget import TokenBudget, TokenRates
from twd_shared.schema_model.models import (
    Column,
    Constraint,
    ForeignKey,
    Index,
    Key,
    Snapshot,
    Table,
)

GOLDEN = Path(__file__).parent / "golden" / "wide_table_chunks.txt"
SHOP = Connection("7", "shop", "postgresql", True, "postgresql://u:p@h/shop")
RATES = TokenRates(plain=0.5, accented=1.0, other=3.0)


def chunks(limit: int, *tables: Table) -> list[Document]:
    """The documents of the first table."""
    snapshot = Snapshot(
        dialect="postgresql", database_name="shop", server_version="16", tables=tables
    )
    budget = TokenBudget(limit, RATES)
    made = list(each_document(SHOP, snapshot, 1, (), budget))
    assert [budget.tokens(item.text) for item in made if not budget.fits(item.text)] == []
    return [item for item in made if item.payload["table_name"] == tables[0].name]


def key(table: str, *columns: str) -> ForeignKey:
    return ForeignKey(
        name=f"{table}_fk",
        columns=columns,
        referenced_schema="public",
        referenced_table=table,
        referenced_columns=columns,
    )


def column(name: str, comment: str | None = None) -> Column:
    return Column(name=name, type="integer", comment=comment)


INVOICES = Table(
    schema="public",
    name="invoices",
    kind="partitioned_table",
    comment="What customers have to pay",
    partition_key="RANGE (issued_at)",
    columns=(
        Column(name="tenant", type="integer", nullable=False),
        Column(name="number", type="integer", nullable=False),
        *(column(name) for name in ("issued_at", "due_at", "paid_at")),
        column("customer_id", "Who pays"),
        *(column(f"amount_{number}", f"Amount of tax class {number}") for number in range(1, 7)),
    ),
    primary_key=Key(name="invoices_pkey", columns=("tenant", "number")),
    foreign_keys=(key("customers", "tenant", "customer_id"),),
    constraints=(
        Constraint(name="paid_later", definition="CHECK ((paid_at >= issued_at))"),
        Constraint(name="odd", definition="CHECK (f())"),
    ),
    indexes=(Index(name="by_amount", columns=("amount_6",)),),
)
CUSTOMERS = Table(schema="public", name="customers", kind="table")
LINES = Table(
    schema="public",
    name="lines",
    kind="table",
    columns=(column("tenant"), column("number")),
    foreign_keys=(key("invoices", "tenant", "number"),),
)


def test_a_wide_table_is_divided_as_the_golden_file_says() -> None:
    text = "\n\n--------\n\n".join(item.text for item in chunks(250, INVOICES, LINES))
    assert f"{text}\n" == GOLDEN.read_text(encoding="utf-8")


def test_chunks_count_from_zero_and_only_the_first_holds_the_whole_table() -> None:
    made = chunks(250, INVOICES, LINES)
    assert [item.payload["chunk"] for item in made] == list(range(len(made)))
    assert {item.payload["chunk_count"] for item in made} == {len(made)}
    assert len({item.point_id for item in made}) == len(made)
    assert [{"ddl", "card", "columns"} <= item.payload.keys() for item in made] == [True] + [
        False
    ] * (len(made) - 1)
    assert not {"ddl", "card", "columns"} & made[1].payload.keys()


def test_every_chunk_holds_what_ranking_needs() -> None:
    for item in chunks(250, INVOICES, LINES, CUSTOMERS):
        assert [one["referenced_table"] for one in item.payload["foreign_keys"]] == ["customers"]
        assert [one["table_name"] for one in item.payload["referenced_by"]] == ["lines"]
        assert (item.payload["table_name"], item.payload["kind"]) == (
            "invoices",
            "partitioned_table",
        )
        assert "invoic" in item.payload["words"]


def test_a_column_is_found_in_the_chunk_that_tells_it_and_in_no_other() -> None:
    made = chunks(250, INVOICES, LINES)
    telling = [item.payload["chunk"] for item in made if "- customer_id (" in item.text]
    assert [item.payload["chunk"] for item in made if "custom" in item.term_texts.columns] == []
    assert [i.payload["chunk"] for i in made if "customer_id" in i.term_texts.columns] == telling


@pytest.mark.parametrize("seed", range(8))
def test_over_all_chunks_nothing_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    table = _random_table(chance)
    made = chunks(chance.choice((120, 200, 400, 1000)), table)
    text = "\n".join(item.text for item in made)
    for item in table.columns:
        assert text.count(f"- {item.name} (") == 1
        assert len(re.findall(rf"^ *{item.name} integer,?$", text, re.MULTILINE)) == 1
    told = set(text.split()) | {word.rstrip(";") for word in text.split()}
    comments = [table.comment, *(item.comment for item in table.columns)]
    assert {word for comment in comments if comment for word in comment.split()} <= told
    for reference in table.foreign_keys:
        target, [name] = f"public.{reference.referenced_table}", reference.columns
        # Of the sentence and of the DDL: between words a text may end.
        assert text.count(f"{target}.{name}.\n") == 1
        assert text.count(f"{target}({name})") == 1
    for name in ("a_check", "an_index", "a_key"):
        assert text.count(name) == 1


def _random_table(chance: random.Random) -> Table:
    words = [f"word{number}" for number in range(2000)]
    names = [f"column{number}x" for number in range(chance.randint(1, 80))]

    def comment(longest: int) -> str | None:
        some = chance.sample(words, chance.randint(0, longest))
        return " ".join(some) or None

    return Table(
        schema="public",
        name="things",
        kind="table",
        comment=comment(chance.choice((5, 600))),
        columns=tuple(
            column(name, comment(chance.choice((3, 3, 3, 3, 3, 3, 3, 400)))) for name in names
        ),
        primary_key=Key(name="a_key", columns=tuple(names[:2])),
        foreign_keys=tuple(
            key(f"target{number}x", chance.choice(names)) for number in range(chance.randint(0, 9))
        ),
        constraints=(Constraint(name="a_check", definition=f"CHECK (({names[-1]} > 0))"),),
        indexes=(Index(name="an_index", columns=(chance.choice(names),)),),
    )


def test_the_same_table_is_divided_the_same_way_again() -> None:
    first, second = (chunks(120, _random_table(random.Random(1))) for _ in range(2))
    assert first == second


def test_a_long_query_of_a_view_is_divided_and_whole() -> None:
    query = " ".join(f"SELECT c{number} UNION" for number in range(500)) + " SELECT 1"
    view = Table(
        schema="public",
        name="v",
        kind="view",
        columns=(column("total"),),
        definition=query,
    )
    made = chunks(300, view)
    assert all(item.text.startswith("Database: shop\nView public.v: v.") for item in made)
    told = " ".join(item.text for item in made).split()
    assert [word for word in told if re.fullmatch(r"c\d+", word)] == [
        f"c{number}" for number in range(500)
    ]


def test_a_table_that_everybody_refers_to_is_not_divided_for_it() -> None:
    hub = Table(schema="public", name="hub", kind="table", columns=(column("id"),))
    others = [
        Table(
            schema="public",
            name=f"t{number:03}",
            kind="table",
            columns=(column("id"),),
            foreign_keys=(key("hub", "id"),),
        )
        for number in range(600)
    ]
    [whole] = chunks(1000, hub, *others)
    assert len(whole.payload["referenced_by"]) == 600


@pytest.mark.parametrize("comment", ["x" * 50_000, "字" * 20_000, "👩‍👩‍👧 " * 5_000, "a;" * 20_000])
def test_text_without_ordinary_words_is_cut_where_it_must_be(comment: str) -> None:
    table = Table(schema="public", name="t", kind="table", columns=(column("id"),), comment=comment)
    made = chunks(2000, table)
    told = "".join(item.text for item in made)
    assert told.count(comment[0]) >= comment.count(comment[0])


@pytest.mark.parametrize("limit", [12, 30])
def test_a_budget_that_holds_hardly_a_name_is_kept_all_the_same(limit: int) -> None:
    assert chunks(limit, INVOICES)


def test_comments_of_an_absurd_size_are_cut_and_say_so() -> None:
    columns = tuple(column(f"c{number}", "word " * 200_000) for number in range(10))
    made = chunks(2000, Table(schema="public", name="t", kind="table", columns=columns))
    assert len(made) < 100
    assert sum(item.text.count(" …") for item in made) == 10
    assert len(made[0].payload["ddl"]) < 250_000


def test_a_definition_of_an_absurd_size_is_cut_and_says_so() -> None:
    view = Table(
        schema="public",
        name="v",
        kind="view",
        columns=(column("id"),),
        definition="SELECT 1 UNION " * 200_000,
    )
    made = chunks(1000, view)
    assert len(made) <= 65
    assert sum(item.text.endswith(" …") for item in made) == 1
    assert len(made[0].payload["ddl"]) <= 1_000_002
