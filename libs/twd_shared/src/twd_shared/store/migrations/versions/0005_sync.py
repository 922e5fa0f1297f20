"""What a sync remembers: answers of the sources, renames, breaking changes"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _connection(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    return (
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f(f"{table}_connection_id_fkey"),
        ),
    )


def _moment(name: str) -> sa.Column[datetime]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def upgrade() -> None:
    op.add_column(
        "index_states",
        sa.Column(
            "database_name",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="As its points tell it; '' = not known",
        ),
        schema="twd",
    )
    op.create_table(
        "source_checks",
        *_connection("source_checks"),
        sa.Column(
            "signal",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Cheap signal; '' = none",
        ),
        sa.Column(
            "fingerprint",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Of the schema as it was read after the source gave this signal; "
            "'' = not known",
        ),
        sa.Column("freshness", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        _moment("since"),
        _moment("asked_at"),
        sa.CheckConstraint(
            "freshness in ('fresh', 'drifted', 'unreadable', 'given_up')",
            name=op.f("source_checks_freshness_check"),
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("source_checks_pkey")),
        schema="twd",
        comment="What each source said when it was last asked whether its schema has changed",
    )
    op.create_table(
        "table_identities",
        *_connection("table_identities"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "since_version",
            sa.Integer(),
            nullable=False,
            comment="From it on, each version was compared by ids with the one before",
        ),
        sa.Column(
            "origin", sa.Text(), nullable=False, comment="Server and database that gave the ids"
        ),
        sa.Column(
            "content_hash", sa.Text(), nullable=False, comment="Of the ids as they were read"
        ),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The server's own ids, and since when each is known",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("table_identities_pkey")),
        schema="twd",
        comment="By which ids each source's server knows the objects of its newest snapshot",
    )
    op.create_table(
        "renames",
        *_connection("renames"),
        sa.Column("version", sa.Integer(), nullable=False, comment="The first with the new name"),
        sa.Column(
            "since_version", sa.Integer(), nullable=False, comment="The first with what was renamed"
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column(
            "member",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Column or label; '' = the object itself",
        ),
        sa.Column(
            "old_schema", sa.Text(), nullable=False, comment="'' = the name means a new object"
        ),
        sa.Column("old_object", sa.Text(), nullable=False),
        sa.Column("old_member", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint(
            "connection_id",
            "version",
            "kind",
            "schema_name",
            "object_name",
            "member",
            name=op.f("renames_pkey"),
        ),
        schema="twd",
        comment="Renames that a source's server proves, by the version that brought them",
    )
    op.create_table(
        "index_origins",
        *_connection("index_origins"),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column(
            "content_hash", sa.Text(), nullable=False, comment="Of the points that were made"
        ),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="By table: a hash of that, and its points",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("index_origins_pkey")),
        schema="twd",
        comment="What the points of each table of a source were made of",
    )
    op.create_table(
        "breaking_changes",
        *_connection("breaking_changes"),
        sa.Column("alert_key", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("to_version", sa.Integer(), nullable=False, comment="The first with the change"),
        sa.Column("change", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _moment("found_at"),
        sa.Column(
            "can_recover",
            sa.Boolean(),
            nullable=False,
            comment="False = something else has its name by now, so the name tells nothing",
        ),
        sa.Column(
            "recovered_version",
            sa.Integer(),
            nullable=True,
            comment="The first in which it is undone",
        ),
        sa.Column("recovered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection_id", "alert_key", name=op.f("breaking_changes_pkey")),
        schema="twd",
        comment="Breaking changes that were told, and whether their cause is gone",
    )
    # Those that are there keep the order in which they were raised, before the number is given out.
    op.add_column("alerts", sa.Column("sequence", sa.BigInteger(), nullable=True), schema="twd")
    op.execute(
        "update twd.alerts set sequence = place from (select alert_key, row_number() over"
        " (order by raised_at, alert_key) as place from twd.alerts) as ordered"
        " where ordered.alert_key = alerts.alert_key"
    )
    op.execute("alter table twd.alerts alter sequence set not null")
    op.execute("alter table twd.alerts alter sequence add generated always as identity")
    op.execute(
        "select setval(pg_get_serial_sequence('twd.alerts', 'sequence'),"
        " (select coalesce(max(sequence), 0) + 1 from twd.alerts), false)"
    )
    op.execute("comment on column twd.alerts.sequence is 'Order of delivery'")
    for column in (
        sa.Column("database_name", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "subject",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="What has failed, until it works again; '' = nothing that can work again",
        ),
        sa.Column("recovered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "not_before",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the webhook may be tried again, said of all that waits",
        ),
    ):
        op.add_column("alerts", column, schema="twd")
    op.create_index(
        "alerts_waiting_idx",
        "alerts",
        ["sequence"],
        schema="twd",
        postgresql_where=sa.text("delivered_at is null and refused_at is null"),
    )
    op.create_index(
        "alerts_open_idx",
        "alerts",
        ["subject"],
        schema="twd",
        postgresql_where=sa.text("recovered_at is null and subject <> ''"),
    )


def downgrade() -> None:
    op.drop_column("index_states", "database_name", schema="twd")
    for column in ("not_before", "recovered_at", "subject", "database_name", "sequence"):
        op.drop_column("alerts", column, schema="twd")
    for table in (
        "index_origins",
        "breaking_changes",
        "renames",
        "table_identities",
        "source_checks",
    ):
        op.drop_table(table, schema="twd")
