"""A shop with enough tables that finding the right ones says something, and its training."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace
from qdrant_client import QdrantClient, models

from twd_shared.clients.ollama import Ollama
from twd_shared.schema_model.models import Column, ForeignKey, Table
from twd_shared.store.tables import alerts, model_servings, model_versions
from twd_training.examples.changes import wishes_of
from twd_training.examples.store import TrainingSet
from twd_training.examples.submissions import read_markers
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.names import Part, alias_of, collection_of
from twd_training.knowledge_base.promotion import Decisions
from twd_training.knowledge_base.versions import ModelVersion, ModelVersions, model_name
from twd_training.training import Trained, train

from .conftest import Location


def table(name: str, *columns: str, refers_to: str = "") -> Table:
    """A table of `public` with text columns, and with a reference to another one."""
    keys = (
        ForeignKey(
            name=f"{name}_{refers_to}",
            columns=(f"{refers_to}_id",),
            referenced_schema="public",
            referenced_table=refers_to,
            referenced_columns=(f"{refers_to}_id",),
        ),
    )
    own = [f"{name}_id", *columns, *([f"{refers_to}_id"] if refers_to else [])]
    return Table(
        schema="public",
        name=name,
        kind="table",
        columns=tuple(Column(name=column, type="text") for column in own),
        foreign_keys=keys if refers_to else (),
    )


TABLES = (
    table("customer", "full_name", "birthday"),
    table("invoice", "total_amount", refers_to="customer"),
    table("warehouse", "city", "capacity"),
    table("product", "barcode", "weight"),
    table("stock", "quantity", refers_to="warehouse"),
    table("employee", "salary", "hired_on"),
    table("supplier", "rating", "homepage"),
    table("delivery", "arrived_at", refers_to="supplier"),
    table("refund", "reason_given", refers_to="invoice"),
    table("voucher", "discount_rate", "expires_on"),
    table("campaign", "slogan", "budget"),
    table("review", "stars", refers_to="product"),
)


def in_schema(schema: str, *tables: Table) -> list[Table]:
    """The same tables, with their references to each other, in another schema."""
    return [
        replace(
            table,
            schema=schema,
            foreign_keys=tuple(
                replace(key, referenced_schema=schema) for key in table.foreign_keys
            ),
        )
        for table in tables
    ]


class TrainedShop:
    """The knowledge base of one connection: what training and people do to it."""

    def __init__(self, location: Location, ollama_url: str) -> None:
        self.location = location
        self.ollama = Ollama(ollama_url, location.resources["ollama"].embed_model)
        self.client: QdrantClient = location.resources["qdrant"].client
        self.versions = ModelVersions(location.database)
        self.collections = Collections(self.client, location.key)
        self.tables = list(TABLES)

    def read(self) -> None:
        """What the schema location does with the tables as they are."""
        self.location.read_schema(*self.tables)

    def change(self, name: str, *columns: str) -> None:
        """Add columns to the tables of that name in the source, and read it."""
        added = tuple(Column(name=column, type="text") for column in columns)
        self.tables = [
            replace(item, columns=(*item.columns, *added)) if item.name == name else item
            for item in self.tables
        ]
        self.read()

    def teach(self, question: str, sql: str) -> None:
        """A user's pair, as the application keeps it."""
        self.location.teach(sql, question)

    def collect(self) -> None:
        """What `training_examples` does."""
        self.location.collect()

    def train(self, tolerance: float = 0.01, least_recall: float = 0.6) -> Trained:
        """What `training_examples` and `trained_model` do."""
        self.collect()
        return train(
            self.location.key,
            self.location.database,
            self.client,
            self.ollama,
            tolerance=tolerance,
            least_recall=least_recall,
            link="",
        )

    def lose_alias(self, part: Part) -> None:
        """Somebody deletes the alias of a part, and no collection."""
        alias = models.DeleteAlias(alias_name=alias_of(self.location.key, part))
        self.client.update_collection_aliases([models.DeleteAliasOperation(delete_alias=alias)])

    def lose_collection(self, part: Part, version: int) -> None:
        """Qdrant loses one collection of a version, and with it its alias."""
        self.client.delete_collection(collection_of(self.location.key, part, version))

    def is_training_wished(self) -> bool:
        """Whether the knowledge base is behind the application's training data, or the model."""
        return bool(
            wishes_of(
                [self.location.connection],
                now=read_markers(self.location.resources["application"].database, had_some=False),
                published=TrainingSet(self.location.database).published_markers(),
                live=self.versions.trained_snapshots(),
                indexed={},
                vanished=(),
                trained=self.versions.trained_models(),
                model=model_name(self.ollama.embed_model, self.ollama.digest()),
            )
        )

    @property
    def decisions(self) -> Decisions:
        return Decisions(self.location.key, self.location.database, self.client, self.ollama)

    @property
    def live(self) -> ModelVersion:
        """The live version, which must be what readers are served."""
        live = self.versions.live(self.location.connection_id)
        assert live is not None
        assert live.version == self.collections.served()
        return live

    @property
    def held(self) -> ModelVersion | None:
        return self.versions.held(self.location.connection_id)

    def served_texts(self) -> set[str]:
        return {one.text for one in self.collections.stored(self.live.version).values()}

    def alerts(self) -> list[tuple[str, bool]]:
        """(severity, whether it is still open) of all alerts, oldest first."""
        query = sa.select(alerts).order_by(alerts.c.sequence)
        with self.location.database.begin() as transaction:
            rows = transaction.execute(query).all()
        return [(row.severity, row.recovered_at is None) for row in rows]

    def servings(self) -> list[int]:
        """Which versions were served, one after the other."""
        query = sa.select(model_servings.c.version).order_by(model_servings.c.serving_id)
        with self.location.database.begin() as transaction:
            return list(transaction.execute(query).scalars())

    def rules(self) -> set[str]:
        """By which rules the held version was found wrong."""
        assert self.held is not None
        return {finding["rule"] for finding in (self.held.comparison or {})["findings"]}

    def rows(self) -> list[Any]:
        """All recorded versions, oldest first."""
        query = sa.select(model_versions).order_by(model_versions.c.version)
        with self.location.database.begin() as transaction:
            return list(transaction.execute(query).all())
