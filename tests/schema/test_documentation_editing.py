"""`twd-schema describe` and the asset that writes the documentation: a person's words get there."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from twd_schema.command import main
from twd_schema.defs.import_assets import import_assets
from twd_shared.clients.catalog import Connection
from twd_shared.contract import RAW_SCHEMA_METADATA, SCHEMA_DOCUMENTATION
from twd_shared.resources.servers import OllamaResource
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.settings import METADATA_DSN, Settings
from twd_shared.store.descriptions import DescriptionStore

FILM = Table(
    schema="public",
    name="film",
    kind="table",
    columns=(Column(name="rating", type="text"),),
    comment="``` ends a fence",
)


class Documentation:
    """The documentation of connection `shop`, as the asset writes it."""

    def __init__(self, resources: dict[str, Any], instance: dg.DagsterInstance) -> None:
        self.resources = resources
        self.store = resources["metadata_store"]
        self.instance = instance
        self.store.connections.register(
            [Connection("7", "shop", "postgresql", True, "postgresql://u:p@h/shop")]
        )
        self.save(FILM)
        instance.add_dynamic_partitions("source_databases", ["shop"])

    def save(self, *tables: Table) -> None:
        whole = Snapshot(
            dialect="postgresql", database_name="shop", server_version="16", tables=tables
        )
        self.store.snapshots.save("7", whole)

    def write(self) -> dg.AssetMaterialization:
        assets = [one for one in import_assets(Settings()) if one.key == SCHEMA_DOCUMENTATION.key]
        result = dg.materialize(
            [*assets, dg.AssetSpec(RAW_SCHEMA_METADATA.key)],
            selection=[SCHEMA_DOCUMENTATION.key],
            partition_key="shop",
            resources=self.resources,
            instance=self.instance,
        )
        [event] = result.get_asset_materialization_events()
        return event.materialization

    def people(self) -> dict[str, str]:
        store = DescriptionStore(self.store.database)
        return store.of_people("7").get(("public", "film"), {})


@pytest.fixture
def documentation(
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    metadata_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Documentation:
    monkeypatch.setenv(METADATA_DSN.name, metadata_dsn)
    return Documentation(resources, instance)


def describe(*arguments: str) -> int:
    return main(["describe", *arguments])


def test_a_description_is_written_into_the_documentation_and_changes_its_data_version(
    documentation: Documentation, capsys: pytest.CaptureFixture[str]
) -> None:
    before = documentation.write()
    assert describe("shop", "public.film", "--column=rating", "--text=Age\nrating") == 0
    assert "public.film.rating is described. The next sync of shop" in capsys.readouterr().out
    after = documentation.write()
    assert "- rating (text): Age rating" in str(after.metadata["example"].value)
    version = "dagster/data_version"
    assert (before.tags or {})[version] != (after.tags or {})[version]


def test_the_asset_tells_who_described_what(documentation: Documentation) -> None:
    describe("shop", "public.film", "--text=What we rent out")
    told = {name: value.value for name, value in documentation.write().metadata.items()}
    assert told.pop("example") == (
        "```text\nTable public.film: film.\nWhat we rent out\n''' ends a fence\nColumns:\n"
        "- rating (text)\n```"
    )
    assert told == {
        "database_name": "shop",
        "documented_tables": 1,
        "described_by_model": 0,
        "described_by_people": 1,
        "not_described": 0,
        "asked_now": 0,
        "cached": 0,
        "version": 1,
    }


def test_a_language_model_that_is_away_is_told_and_fails_nothing(
    documentation: Documentation, ollama_url: str
) -> None:
    documentation.resources["ollama"] = OllamaResource(base_url=ollama_url, model="not-pulled")
    written = documentation.write()
    assert "ollama pull not-pulled" in str(written.metadata["problem"].value)
    assert written.metadata["documented_tables"].value == 1


def test_an_empty_text_takes_a_description_back(documentation: Documentation) -> None:
    describe("shop", "public.film", "--text=Films")
    assert documentation.people() == {"": "Films"}
    assert describe("shop", "public.film", "--text= \n ") == 0
    assert documentation.people() == {}


def test_of_a_connection_that_was_removed_it_is_said_so(
    documentation: Documentation, capsys: pytest.CaptureFixture[str]
) -> None:
    documentation.store.connections.deactivate("7")
    assert describe("shop", "public.film", "--text=Films") == 2
    assert "shop was paused or removed in the application" in capsys.readouterr().err
    assert documentation.people() == {}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("shop", "film", "--text=x"), "Did you mean public.film?"),
        (("shop", "public.nothing", "--text=x"), "shop has no table 'public.nothing'"),
        (("shop", "public.film", "--column=length", "--text=x"), "It has: rating."),
        (("other", "public.film", "--text=x"), "No database 'other' is connected. Known: shop."),
        (("shop", "public.film", f"--text={'x' * 2001}"), "has at most 2000 characters"),
        # Bytes of a terminal of another encoding.
        (("shop", "public.film", "--text=S\udcf4"), "bytes that are no UTF-8"),
        (("sh\udcf4p", "public.film", "--text=x"), r"No database 'sh\udcf4p' is connected"),
        (("shop", "public.\udcf4", "--text=x"), r"shop has no table 'public.\udcf4'"),
    ],
)
def test_what_cannot_be_described_is_told_with_what_can(
    documentation: Documentation,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    assert describe(*arguments) == 2
    assert told in capsys.readouterr().err
    assert documentation.people() == {}


def test_a_text_of_sql_and_markup_is_kept_as_it_is(documentation: Documentation) -> None:
    text = "'; drop table x; -- %s {} <b>Số đơn</b>"
    describe("shop", "public.film", f"--text={text}")
    assert documentation.people() == {"": text}


def test_without_a_metadata_database_the_command_says_which_setting_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(METADATA_DSN.name, raising=False)
    assert describe("shop", "public.film", "--text=x") == 2
    assert "TWD_METADATA_DSN is not set" in capsys.readouterr().err
