"""SQL that a language model writes with a knowledge base, run on a real source and compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import dagster as dg
import msgspec
import psycopg2
import pytest
import sqlalchemy as sa

from twd_shared.clients import ollama as ollama_module
from twd_shared.clients.catalog import Connection
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.training_options import TrainingOptions
from twd_shared.errors import (
    CatalogUnavailable,
    SourceBusy,
    SourceRefused,
    SourceUnavailable,
    UnusableConnectionString,
)
from twd_shared.resources.servers import OllamaResource
from twd_shared.retrieval.questions import steady_order
from twd_shared.settings import Settings
from twd_shared.sources.access import SourceAccess
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.host_readings import HostReadings
from twd_training.definitions import build_defs
from twd_training.defs.assets import MODEL_EVALUATION_KEY
from twd_training.evaluation import executing, generating
from twd_training.evaluation.executing import SourceQueries
from twd_training.evaluation.generating import Servers, evaluate_generated
from twd_training.evaluation.outcomes import Compared, Generated
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base import material
from twd_training.knowledge_base.versions import ModelVersions
from twd_training.training import train

from ..statements import execute
from .conftest import CUSTOMER, INVOICE, WAREHOUSE, Location
from .scripted_model import MODEL, ScriptedModel, fenced
from .test_gate import without
from .test_generated_answers import INJECTION
from .test_planning import with_login
from .test_training_assets import checks, data_versions, shown
from .test_training_assets import run as run_job

pytestmark = pytest.mark.integration

TABLES = """
create table customer (customer_id integer primary key, full_name text);
create table invoice (invoice_id integer, customer_id integer, total_amount numeric(10,2));
create schema stock;
create table stock.warehouse (warehouse_id integer, city text);
insert into customer values (1, 'Ann'), (2, 'Bob'), (3, 'Chi');
insert into invoice values (1, 1, 10.50), (2, 1, 5.00), (3, 2, 7.25);
create sequence counted;
create type mood as enum ('glad', 'sad');
create function erase() returns bigint language sql as 'delete from customer; select 3::bigint';
"""
COUNT = "select count(*) from customer"
NAMES = "select full_name from customer"


@pytest.fixture(scope="module")
def shared_source(services: Any) -> str:
    """A source that no test changes."""
    dsn = services.database()
    execute(dsn, TABLES)
    return dsn


@pytest.fixture
def source(services: Any) -> str:
    """A source of this test's own."""
    dsn = services.database()
    execute(dsn, TABLES)
    return dsn


def listed(dsn: str, **options: Any) -> Connection:
    made = Connection("7", "shop", "postgresql", True, dsn, training=TrainingOptions(execute=True))
    return replace(made, **options)


def compare(dsn: str, expected: str, given: str, seconds: float = 20) -> Compared:
    access = SourceAccess.configured("postgresql", "loopback", "", seconds)
    return SourceQueries(access, listed(dsn)).compare(expected, given)


# --- what a source says --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        (COUNT, COUNT),
        (COUNT, "select sum(1) as how_many from customer; -- so many"),
        (NAMES, "select full_name from customer order by full_name desc"),
        ("select full_name, customer_id from customer", "select * from customer"),
        ("select * from customer order by customer_id", "select * from customer order by 1;"),
        ("select avg(total_amount) from invoice", "select avg(total_amount::float8) from invoice"),
        ("select 1 as a, 2 as a", "values (2, 1)"),
        ("select customer from customer", "select row(customer_id, full_name) from customer"),
        ("select array['a', null]", "select string_to_array('a,n', ',', 'n')"),
        ("select 'glad'::mood", "select 'glad'"),
        ("select repeat('x', 5000)", "select repeat('x', 2500) || repeat('x', 2500)"),
        (
            "select c.full_name from customer c join invoice i using (customer_id) group by 1",
            "select full_name from customer where customer_id in (select customer_id from invoice)",
        ),
        ("with x as (select 1 as a) select a from x order by a", "select 1"),
        ("select 'Chi ế' as \"tên\"", "select 'Chi ế' /* ế */ ;"),
    ],
)
def test_the_same_rows_match_however_they_are_asked_for(
    shared_source: str, expected: str, given: str
) -> None:
    assert compare(shared_source, expected, given) == Compared("matched")


@pytest.mark.parametrize(
    ("expected", "given", "reason"),
    [
        (COUNT, "select count(*) + 1 from customer", "other rows"),
        (COUNT, NAMES, "another number of rows"),
        (COUNT, "select count(*), 1 from customer", "another number of columns"),
        (COUNT, "select 1 where false", "another number of rows"),
        (NAMES, "select distinct 'Ann' from customer, invoice", "another number of rows"),
        (COUNT, "select generate_series(1, 1000000000)", "another number of rows"),
        ("select repeat('x', 5000)", "select repeat('x', 4999) || 'y'", "other rows"),
        (
            "select full_name from customer order by full_name",
            "select full_name from customer order by full_name desc",
            "another order of rows",
        ),
    ],
)
def test_other_rows_are_different(
    shared_source: str, expected: str, given: str, reason: str
) -> None:
    assert compare(shared_source, expected, given) == Compared("different", reason)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("select secret from customer", "UndefinedColumnError"),
        ("select count(*) from nowhere", "UndefinedTableError"),
        ("select sum(full_name) from customer", "UndefinedFunctionError"),
        ("select 1 / (customer_id - 1) from customer", "DivisionByZeroError"),
        ("select full_name::int from customer", "InvalidTextRepresentationError"),
        ("select count(*) from customer where customer_id = $1", "it has parameters"),
        ("select from customer", "it has no columns"),
        ("select * form customer", "PostgresSyntaxError"),
        ("select 1; select 2", "PostgresSyntaxError"),
    ],
)
def test_what_the_source_does_not_run_has_failed_by_the_class_of_its_error(
    shared_source: str, given: str, error: str
) -> None:
    assert compare(shared_source, COUNT, given) == Compared("failed", error)


def test_what_takes_too_long_is_ended_by_the_source(shared_source: str) -> None:
    ended = compare(shared_source, COUNT, "select pg_sleep(60)", seconds=3)
    assert ended == Compared("failed", "QueryCanceledError")


def test_a_source_is_never_occupied_longer_than_an_evaluation_may(
    shared_source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "LONGEST_STATEMENT_SECONDS", 3)
    ended = compare(shared_source, COUNT, "select pg_sleep(60)", seconds=600)
    assert ended == Compared("failed", "QueryCanceledError")


def test_a_query_fills_no_disk(shared_source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executing, "_TEMPORARY_FILES", "1MB")
    huge = "select count(*) from (select * from generate_series(1, 10000000) order by random()) q"
    assert compare(shared_source, COUNT, huge).reason == "ConfigurationLimitExceededError"


def test_nothing_of_a_value_of_a_hundred_megabytes_is_taken_but_its_hash(
    shared_source: str,
) -> None:
    big = "select repeat('x', 100000000)"
    assert compare(shared_source, COUNT, big) == Compared("different", "other rows")


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ("select secret from customer", "the user's SQL: UndefinedColumnError"),
        ("select 1 where false", "the user's SQL gives no row"),
        ("select generate_series(1, 20000)", "the user's SQL gives more than 10000 rows"),
        ("select pg_sleep(60)", "the user's SQL: QueryCanceledError"),
    ],
)
def test_without_rows_of_the_users_sql_nothing_is_compared(
    shared_source: str, expected: str, reason: str
) -> None:
    assert compare(shared_source, expected, COUNT, 3) == Compared("not_comparable", reason)


OWN_FUNCTIONS = """
create function "Outside"() returns bigint language sql as 'select 3::bigint';
create function quarter(integer) returns bigint language sql as 'select 3::bigint';
create function ledger(customer) returns bigint language sql as 'select 3::bigint';
create function anything(anyelement) returns bigint language sql as 'select 3::bigint';
create function total(text) returns text language sql as 'select $1';
create function full_name(customer) returns text language sql as 'select null';
create domain client as customer;
create function debts(client) returns bigint language sql as 'select 3::bigint';
create function friends(variadic customer[]) returns bigint language sql as 'select 3::bigint';
"""


@pytest.fixture(scope="module")
def source_with_functions(services: Any) -> str:
    """A source that no test changes, and that has functions of its own."""
    dsn = services.database()
    execute(dsn, TABLES, OWN_FUNCTIONS)
    return dsn


@pytest.mark.parametrize(
    "call",
    [
        'select "Outside"()',
        'select 3 where public."Outside"() > 0',
        "select erase()",
        # Functions of the parser's own too.
        "select quarter(1)",
        "select Quarter /* x */ (1)",
        "select * from public.quarter(1)",
        "select public.quarter(1)",
        # By the name of a row, and of a value between brackets or out of FROM.
        "select c.ledger from customer c",
        'select c . "ledger" from customer c',
        "select customer.ledger from customer",
        "select (c).ledger from customer c",
        "select ledger(c) from customer c",
        "select c.anything from customer c",
        "select c.debts from customer c",
        "select c.friends from customer c",
        "select (1).quarter",
        "select (array[1])[1].quarter",
        "select t.quarter from generate_series(1, 2) t",
        "select t.quarter from (customer c cross join generate_series(1, 2) t)",
        "select t.quarter from customer c cross join lateral abs(c.customer_id) t",
        "select t.total from current_user t",
    ],
)
def test_a_function_of_the_sources_own_is_not_called(source_with_functions: str, call: str) -> None:
    assert compare(source_with_functions, COUNT, call) == Compared(
        "refused", "it calls a function of the source's own"
    )


def test_a_name_in_escapes_is_not_run(source_with_functions: str) -> None:
    refused = compare(source_with_functions, COUNT, r'select u&"\0071uarter"(1)')
    assert refused == Compared("refused", "it writes a name in escapes")


@pytest.mark.parametrize(
    "given",
    [
        # A function of that name takes no row, or the row has such a column.
        "select t.total from (select 3 as total) t",
        "select t.quarter from (values (3)) t(quarter)",
        "select count(c.full_name) from customer c",
        "with t as (select count(*) as quarter from customer) select t.quarter from t",
        "select c.n from (select count(*) as n from customer where full_name in ('Ann', 'Bob')"
        " or customer_id > 2) c",
    ],
)
def test_columns_may_be_called_like_functions(source_with_functions: str, given: str) -> None:
    assert compare(source_with_functions, COUNT, given) == Compared("matched")


def test_nothing_is_changed_on_the_source(source: str) -> None:
    for given in ("delete from customer", "select nextval('counted')"):
        assert compare(source, COUNT, given).outcome == "failed"
    assert compare(source, COUNT, "select 3") == Compared("matched")


def test_a_role_that_may_read_little_is_enough(source: str) -> None:
    execute(source, "create role poor login password 'x'", "grant select on customer to poor")
    try:
        poor = with_login(source, "poor", "x")
        assert compare(poor, COUNT, "select 3") == Compared("matched")
        refused = compare(poor, COUNT, "select count(*) from invoice")
        assert refused == Compared("failed", "InsufficientPrivilegeError")
    finally:
        execute(source, "drop owned by poor", "drop role poor")


def test_bytes_that_are_no_text_are_a_failure_of_the_query(services: Any) -> None:
    execute(
        services.postgres,
        "create database ascii encoding 'SQL_ASCII' locale 'C' template template0",
    )
    dsn = sa.make_url(services.postgres).set(database="ascii").render_as_string(False)
    failed = compare(dsn, "select 1", "select chr(233)")
    assert failed == Compared("failed", "CharacterNotInRepertoireError")


def test_a_table_that_a_migration_has_locked_is_no_failure_of_the_query(source: str) -> None:
    with closing(psycopg2.connect(source)) as migration:
        migration.cursor().execute("alter table invoice add note text")
        with pytest.raises(SourceUnavailable, match="holds locks"):
            compare(source, COUNT, "select count(*) from invoice")


def test_a_wrong_password_is_told_without_it(shared_source: str) -> None:
    with pytest.raises(SourceRefused) as refusal:
        compare(with_login(shared_source, "twd_nobody", "hidden"), COUNT, COUNT)
    assert "hidden" not in str(refusal.value)


def test_a_host_that_may_not_be_reached_is_not_asked(shared_source: str) -> None:
    access = SourceAccess.configured("postgresql", "public", "", 5)
    with pytest.raises(UnusableConnectionString, match="may not be reached"):
        SourceQueries(access, listed(shared_source)).compare(COUNT, COUNT)


def test_a_source_whose_host_is_busy_runs_nothing(shared_source: str) -> None:
    # No reading at once: each would be one too many, and nobody needs to be asked.
    busy = HostReadings(MetadataDatabase(shared_source), 0, 0)
    access = SourceAccess.configured("postgresql", "loopback", "", 5, busy)
    with pytest.raises(SourceBusy):
        SourceQueries(access, listed(shared_source)).compare(COUNT, COUNT)


# --- a whole evaluation --------------------------------------------------------------------------


class Shop:
    """A trained connection whose questions a language model is asked."""

    def __init__(self, location: Location, server: ScriptedModel, source: str) -> None:
        self.location = location
        self.server = server
        self.connection = listed(source)
        self.patience = 30.0
        resource = OllamaResource(
            base_url=server.url,
            embed_model=location.resources["ollama"].embed_model,
            model=MODEL,
        )
        location.resources["ollama"] = resource
        location.execute(
            "update database_connections set connection_string = %s,"
            """ training = '{"execute": true}' where id = 7""",
            source,
        )

    def teach(self, question: str, sql: str, answer: str | int) -> None:
        """A user's pair, and what the model will say to its question."""
        self.location.teach(sql, question)
        self.server.answers[question] = answer

    def train(self) -> None:
        """What `training_examples` and `trained_model` do."""
        resources = self.location.resources
        self.location.collect(self.connection)
        train(
            self.location.key,
            self.location.database,
            resources["qdrant"].client,
            resources["ollama"].client,
            tolerance=1.0,
            least_recall=0.0,
            link="",
        )

    def evaluate(self, **options: Any) -> Generated:
        """What `model_evaluation` does with the live version."""
        live = ModelVersions(self.location.database).live(self.location.connection_id)
        assert live is not None
        resource = self.location.resources["ollama"]
        ollama = Ollama(resource.base_url, resource.embed_model, resource.model, self.patience)
        return evaluate_generated(
            self.location.connection,
            lambda: replace(self.connection, **options),
            [live],
            Servers(
                self.location.database,
                self.location.resources["qdrant"].client,
                ollama,
                self.location.access,
            ),
        )

    def outcomes(self) -> dict[str, tuple[str, str]]:
        """Outcome and reason of each question that was asked."""
        rows = self.location.metadata_rows(
            "select question, outcome, g.reason from twd.generated_sql g"
            " join twd.training_items using (connection_id, item_id) where asked_hash <> ''"
        )
        return {str(question): (str(outcome), str(reason)) for question, outcome, reason in rows}

    def prompt(self, question: str) -> dict[str, str]:
        """What the model was shown with a question, by mark."""
        shown = [fenced(prompt) for prompt in self.server.prompts]
        return next(one for one in shown if one["question"] == question)


@pytest.fixture
def server(services: Any) -> Iterator[ScriptedModel]:
    made = ScriptedModel(services.ollama)
    yield made
    made.close()


@pytest.fixture
def shop(
    location: Location, server: ScriptedModel, source: str, monkeypatch: pytest.MonkeyPatch
) -> Shop:
    monkeypatch.setattr(ollama_module, "_ATTEMPTS", 1)
    return Shop(location, server, source)


def test_each_answer_has_its_outcome_and_the_version_its_accuracy(shop: Shop) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    shop.teach("Who are they?", NAMES, "```sql\nselect full_name from customer order by 1;\n```")
    shop.teach("How many invoices?", "select count(*) from invoice", "select 4")
    shop.teach(
        "Which total?", "select sum(total_amount) from invoice", "select sum(x) from invoice"
    )
    shop.teach("Which ids?", "select customer_id from customer", "delete from customer")
    shop.teach(
        "Which cities?", "select city from stock.warehouse", "select city from stock.warehouse"
    )
    shop.teach("Which invoices?", "select invoice_id from invoice", "Sorry, I cannot tell.")
    shop.teach("Both?", "select * from customer", "select 1; select * from customer")
    shop.teach("Typed?", "select customer_id + 1 from customer", "select from where customer")
    shop.train()
    generated = shop.evaluate()
    assert (generated.skipped, generated.problem, generated.asked_now) == ("", "", 9)
    assert shop.outcomes() == {
        "How many customers?": ("matched", ""),
        "Who are they?": ("matched", ""),
        "How many invoices?": ("different", "other rows"),
        "Which total?": ("failed", "UndefinedColumnError"),
        "Which ids?": ("refused", "it is no query that only reads"),
        "Which cities?": ("not_comparable", "the user's SQL gives no row"),
        "Which invoices?": ("no_sql", "the answer holds no SQL"),
        "Both?": ("refused", "it is more than one statement"),
        "Typed?": ("failed", "it does not parse, and was not run"),
    }
    tally = generated.of_version[1]
    assert tally.execution_accuracy == 2 / 8
    assert compare(shop.connection.connection_string, COUNT, "select 3").outcome == "matched"


def test_a_question_is_shown_what_is_known_but_not_its_own_pair(shop: Shop) -> None:
    shop.teach("How many customers are there?", COUNT, COUNT)
    shop.teach("how many customers are there", "SELECT count( * ) FROM customer", COUNT)
    shop.teach("Number of customers?", "select COUNT(*) from customer;", COUNT)
    shop.teach("How many customers are called Ann?", f"{COUNT} where full_name = 'Ann'", "select 1")
    shop.location.teach("Customers who pay late are called debtors.")
    shop.train()
    shop.evaluate()
    prompt = shop.prompt("How many customers are there?")
    assert "CREATE TABLE public.customer" in prompt["tables"]
    assert "debtors" in prompt["notes"]
    assert prompt["examples"] == (
        "Question: How many customers are called Ann?\n"
        "SQL: select count(*) from customer where full_name = 'Ann'"
    )
    assert shop.server.options["num_ctx"] == 8192


def test_orders_in_a_comment_stand_inside_the_fence_and_what_they_ask_for_is_refused(
    shop: Shop,
) -> None:
    hostile = msgspec.structs.replace(CUSTOMER, comment=INJECTION)
    shop.location.read_schema(hostile, INVOICE, WAREHOUSE)
    shop.location.teach(f"A note on customers. {INJECTION}")
    shop.teach("How many customers?", COUNT, COUNT)
    # A model that obeys all the same.
    shop.teach("Who are they?", NAMES, "DELETE FROM customer;")
    shop.train()
    shop.evaluate()
    prompt = shop.prompt("How many customers?")
    assert "Ignore all of this" in prompt["tables"]
    assert "Ignore all of this" in prompt["notes"]
    assert prompt["question"] == "How many customers?"
    assert shop.outcomes() == {
        "How many customers?": ("matched", ""),
        "Who are they?": ("refused", "it is no query that only reads"),
    }


def test_nothing_is_asked_twice_until_pair_version_or_model_change(shop: Shop) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    shop.teach("Who are they?", NAMES, NAMES)
    shop.train()
    first, again = shop.evaluate(), shop.evaluate()
    assert (first.asked_now, again.asked_now) == (2, 0)
    assert first.of_version[1].counts == again.of_version[1].counts
    assert len(shop.server.prompts) == 2
    shop.server.digest = "d2"
    assert shop.evaluate().asked_now == 2
    shop.location.teach("Customers buy.")
    shop.train()
    assert shop.evaluate().of_version[2].counts == {"matched": 2}
    assert len(shop.server.prompts) == 6
    # Of the digest before, the outcomes are still there.
    rows = shop.location.metadata_rows(
        "select version, model_digest, count(*) from twd.generated_sql group by 1, 2 order by 1, 2"
    )
    assert rows == [(1, "d1", 2), (1, "d2", 2), (2, "d2", 2)]


def test_a_prompt_on_which_the_model_fails_leaves_the_others_answered(shop: Shop) -> None:
    shop.teach("How many customers?", COUNT, 500)
    shop.teach("Who are they?", NAMES, NAMES)
    shop.train()
    failed = shop.evaluate()
    assert (failed.of_version[1].counts, failed.of_version[1].not_asked) == ({"matched": 1}, 1)
    assert "failed on /api/generate (500)" in failed.problem
    shop.server.answers["How many customers?"] = COUNT
    assert shop.evaluate().of_version[1].counts == {"matched": 2}
    assert len(shop.server.prompts) == 3


def test_a_model_that_fails_is_left_alone(shop: Shop) -> None:
    for number in range(6):
        shop.teach(f"How many, {number}?", f"select {number} from customer", 500)
    shop.train()
    assert shop.evaluate().of_version[1].not_asked == 6
    assert len(shop.server.prompts) == 2


def test_questions_on_which_the_model_always_fails_come_behind_the_others(shop: Shop) -> None:
    asked = [f"How many, {number}?" for number in range(6)]
    for question in asked:
        shop.teach(question, COUNT, COUNT)
    failing = sorted(asked, key=steady_order)[:2]
    shop.server.answers |= dict.fromkeys(failing, 500)
    shop.train()
    assert shop.evaluate().of_version[1].not_asked == 6
    goes_on = shop.evaluate()
    assert (goes_on.of_version[1].counts, goes_on.of_version[1].not_asked) == ({"matched": 4}, 2)
    assert shop.outcomes().keys() == {*asked} - {*failing}
    shop.server.answers |= dict.fromkeys(failing, COUNT)
    assert shop.evaluate().of_version[1].counts == {"matched": 6}


def test_a_model_that_does_not_answer_in_time_is_asked_again_next_time(shop: Shop) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    shop.train()
    shop.patience, shop.server.seconds = 0.3, 0.6
    late = shop.evaluate()
    assert "did not answer /api/generate within 0.3 s" in late.problem
    shop.patience, shop.server.seconds = 30.0, 0.0
    assert shop.evaluate().of_version[1].counts == {"matched": 1}


def test_a_model_that_is_not_pulled_is_told_and_asked_for_once(shop: Shop) -> None:
    for number in range(3):
        shop.teach(f"How many, {number}?", f"select {number} from customer", 404)
    shop.train()
    assert "ollama pull writer" in shop.evaluate().problem
    assert len(shop.server.prompts) == 1


def test_a_slow_model_goes_on_next_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    shop.train()
    monkeypatch.setattr(generating, "_LONGEST_SECONDS", -1.0)
    late = shop.evaluate()
    assert (late.of_version[1].not_asked, shop.server.prompts) == (1, [])
    assert "the rest comes next" in late.problem
    monkeypatch.undo()
    assert shop.evaluate().problem == ""


def test_a_source_that_is_away_is_told_without_its_password_and_asked_next_time(
    shop: Shop,
) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    shop.train()
    away = shop.evaluate(connection_string="postgresql://nobody:hidden@127.0.0.1:9/none")
    assert "at 127.0.0.1:9/none cannot be reached" in away.problem
    assert "hidden" not in away.problem
    assert shop.outcomes() == {}
    assert shop.evaluate().of_version[1].counts == {"matched": 1}


def test_what_is_not_to_be_asked_says_why_and_asks_nobody(shop: Shop) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    shop.train()
    forbidden = shop.evaluate(training=TrainingOptions())
    assert forbidden.skipped == "the connection does not allow it (training.execute)"
    assert shop.evaluate(db_type="mysql").skipped == "not on mysql, on PostgreSQL alone"
    ollama = shop.location.resources["ollama"]
    shop.location.resources["ollama"] = OllamaResource(
        base_url=ollama.base_url, embed_model=ollama.embed_model
    )
    assert "TWD_LLM_MODEL" in shop.evaluate().skipped
    assert shop.server.prompts == []


def test_an_application_that_is_down_is_a_problem_and_no_failure(shop: Shop) -> None:
    shop.train()
    live = ModelVersions(shop.location.database).live("7")
    assert live is not None

    def down() -> Connection:
        raise CatalogUnavailable("The catalog is down.")

    resources = shop.location.resources
    servers = Servers(
        shop.location.database,
        resources["qdrant"].client,
        resources["ollama"].client,
        shop.location.access,
    )
    generated = evaluate_generated(shop.location.connection, down, [live], servers)
    assert (generated.problem, generated.of_version) == ("The catalog is down.", {})


def test_what_was_written_goes_with_the_training_items(shop: Shop) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    shop.train()
    shop.evaluate()
    TrainingSet(shop.location.database).delete("7")
    assert shop.location.metadata_rows("select 1 from twd.generated_sql") == []


def test_what_was_written_for_a_pair_goes_with_the_pair(shop: Shop) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    shop.teach("Who are they?", NAMES, NAMES)
    shop.train()
    shop.evaluate()
    shop.location.execute("delete from training_data where question = 'Who are they?'")
    shop.train()
    # An evaluation that was running meanwhile may write one more; the next training takes it out.
    shop.location.execute_metadata(
        "insert into twd.generated_sql select connection_id, version, gen_random_uuid(), model,"
        " model_digest, asked_hash, outcome, reason, sql from twd.generated_sql"
    )
    shop.train()
    rows = "select count(*) from twd.generated_sql"
    assert shop.location.metadata_rows(rows) == [(1,)]
    assert shop.outcomes().keys() == {"How many customers?"}


# --- the asset -----------------------------------------------------------------------------------


def of_job(shop: Shop, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    shop.location.definitions = build_defs(
        Settings(run_max_retries=0, run_retry_seconds=0), shop.location.resources
    )
    return run_job(shop.location, instance)


def test_the_ui_shows_counts_and_accuracy_and_never_a_question(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.teach("How many customers of Zanzibar?", COUNT, COUNT)
    shop.teach("Who are they?", NAMES, "delete from customer")
    first, second = of_job(shop, instance), of_job(shop, instance)
    evaluation = shown(first, MODEL_EVALUATION_KEY)
    assert evaluation["sql_generation"] == "yes"
    assert evaluation["language_model"] == MODEL
    assert (evaluation["sql_matched"], evaluation["sql_refused"]) == (1, 1)
    assert (evaluation["sql_not_asked"], evaluation["execution_accuracy"]) == (0, 0.5)
    again = shown(second, MODEL_EVALUATION_KEY)
    assert (evaluation["sql_asked_now"], again["sql_asked_now"]) == (2, 0)
    assert data_versions(first) == data_versions(second)
    events = [*instance.all_logs(first.run_id), *instance.all_logs(second.run_id)]
    assert not any("Zanzibar" in str(event) for event in events)
    assert not any(shop.connection.connection_string in str(event) for event in events)


def test_a_model_that_is_down_costs_neither_scores_nor_promotion(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.teach("How many customers?", COUNT, 500)
    result = of_job(shop, instance)
    assert result.success
    assert all(checks(result).values())
    evaluation = shown(result, MODEL_EVALUATION_KEY)
    assert evaluation["sql_generation"].startswith("not all: Ollama at http://127.0.0.1")
    assert evaluation["recall_at_5"] > 0
    assert shop.location.metadata_rows("select version from twd.model_evaluations") == [(1,)]


def test_sql_that_is_all_wrong_holds_no_version_back(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    assert of_job(shop, instance).success
    shop.server.answers["How many customers?"] = "select 0"
    shop.location.teach("Customers buy.")
    result = of_job(shop, instance)
    assert all(checks(result).values())
    evaluation = shown(result, MODEL_EVALUATION_KEY)
    assert (evaluation["version"], evaluation["execution_accuracy"]) == (2, 0.0)


def test_a_held_version_is_asked_beside_the_live_one(
    shop: Shop, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.teach("How many customers?", COUNT, COUNT)
    assert of_job(shop, instance).success
    monkeypatch.setattr(material, "documents_of", without("card"))
    shop.server.answers["How many customers?"] = "select 0"
    evaluation = shown(of_job(shop, instance), MODEL_EVALUATION_KEY)
    assert (evaluation["version"], evaluation["execution_accuracy"]) == (1, 1.0)
    assert (evaluation["held_version"], evaluation["held_execution_accuracy"]) == (2, 0.0)


def test_by_default_nothing_is_asked_of_the_source(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.teach(COUNT, "How many customers?")
    evaluation = shown(run_job(location, instance), MODEL_EVALUATION_KEY)
    assert evaluation["sql_generation"] == "no: no language model is configured (TWD_LLM_MODEL)"
    assert "execution_accuracy" not in evaluation
