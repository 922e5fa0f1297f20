"""One difference between two snapshots, with its rule, its severity and a sentence for people."""

from __future__ import annotations

from typing import Literal

import msgspec

from twd_shared.schema_model.models import ObjectKind

Severity = Literal["breaking", "risky", "safe"]
Evidence = Literal["server", "similarity"]

RULES: dict[str, Severity] = {
    "table_added": "safe",
    "table_removed": "breaking",
    "table_renamed": "breaking",
    "table_replaced": "risky",
    "table_respelled": "safe",
    "table_kind_changed": "risky",
    "table_comment_changed": "safe",
    "table_definition_changed": "safe",
    "view_definition_changed": "risky",
    "view_definition_respelled": "safe",
    "view_security_changed": "risky",
    "view_unreadable": "breaking",
    "column_added": "safe",
    "column_removed": "breaking",
    "column_renamed": "breaking",
    "column_replaced": "risky",
    "column_respelled": "safe",
    "column_type_changed": "breaking",
    "column_type_promoted": "risky",
    "column_type_respelled": "safe",
    "column_type_widened": "safe",
    "column_collation_changed": "risky",
    "column_labels_added": "safe",
    "column_nullability_changed": "risky",
    "column_default_changed": "safe",
    "column_comment_changed": "safe",
    "column_generation_changed": "risky",
    "column_order_changed": "safe",
    "column_options_changed": "safe",
    "column_visibility_changed": "risky",
    "primary_key_added": "safe",
    "primary_key_removed": "risky",
    "primary_key_changed": "risky",
    "unique_constraint_added": "safe",
    "unique_constraint_removed": "risky",
    "unique_constraint_changed": "risky",
    "foreign_key_added": "safe",
    "foreign_key_removed": "risky",
    "foreign_key_changed": "risky",
    "constraint_added": "safe",
    "constraint_removed": "risky",
    "constraint_changed": "risky",
    "constraint_renamed": "safe",
    "index_added": "safe",
    "index_removed": "safe",
    "index_changed": "safe",
    "index_renamed": "safe",
    "unique_index_removed": "risky",
    "constraint_comment_changed": "safe",
    "partitioning_changed": "safe",
    "inheritance_changed": "risky",
    "storage_changed": "safe",
    "enum_added": "safe",
    "enum_removed": "breaking",
    "enum_renamed": "breaking",
    "enum_label_added": "safe",
    "enum_label_removed": "breaking",
    "enum_label_renamed": "breaking",
    "enum_labels_reordered": "risky",
    "enum_changed": "safe",
    "domain_added": "safe",
    "domain_removed": "breaking",
    "domain_renamed": "breaking",
    "domain_changed": "risky",
    "domain_comment_changed": "safe",
    "domain_constraint_renamed": "safe",
    "partition_added": "safe",
    "partition_removed": "risky",
    "partition_renamed": "risky",
    "partition_changed": "safe",
    "partition_attached": "safe",
    "partition_detached": "risky",
    "partition_moved": "risky",
    "composite_added": "safe",
    "composite_removed": "breaking",
    "composite_renamed": "breaking",
    "composite_changed": "risky",
    "composite_comment_changed": "safe",
    "composite_attribute_added": "risky",
    "composite_attribute_removed": "breaking",
    "composite_attribute_type_changed": "breaking",
    "range_added": "safe",
    "range_removed": "breaking",
    "range_renamed": "breaking",
    "range_changed": "risky",
    "range_comment_changed": "safe",
    "sequence_added": "safe",
    "sequence_removed": "risky",
    "sequence_renamed": "risky",
    "sequence_changed": "safe",
    "routine_added": "safe",
    "routine_removed": "risky",
    "routine_renamed": "risky",
    "routine_changed": "risky",
    "routine_comment_changed": "safe",
    "routine_hints_changed": "safe",
    "extension_added": "safe",
    "extension_removed": "risky",
    "extension_renamed": "risky",
    "extension_changed": "safe",
    "namespace_added": "safe",
    "namespace_removed": "safe",
    "namespace_renamed": "safe",
    "namespace_changed": "safe",
    "collation_added": "safe",
    "collation_removed": "risky",
    "collation_renamed": "risky",
    "collation_changed": "risky",
    "collation_comment_changed": "safe",
}
"""Every rule with its severity: breaking = SQL that worked fails, risky = it may mean or do
something else, safe = it goes on as before. Codes are stable: alerts and reports use them."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference; `subject` is what it is about: schema.table, schema.table.column, type.

    `schema` and `name` are of the object as it is called now, or was if it is gone. `member` is
    the column, attribute or label in it, by its new name if it was renamed. `before` and `after`
    are what changed where that is one value, and '' where there is none: a type (that of a column
    which is gone or new, too), "null" or "not null", a default, a comment, what a key or index is;
    of a rename the names, an object's with its schema. Texts are without secrets. What is replaced
    was renamed or is gone, and is told as either. `evidence` says how the rename of an object,
    column or label is known: "server" by the ids that the server keeps, "similarity" because the
    two look alike. `columns` are those of a table that is gone, each with its type; where it was
    renamed, those that SQL does not find in what has its old name.
    """

    rule: str
    severity: Severity
    object_kind: ObjectKind
    schema: str
    name: str
    subject: str
    sentence: str
    member: str = ""
    before: str = ""
    after: str = ""
    evidence: Evidence | Literal[""] = ""
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """`schema.name` of the object."""
        return f"{self.schema}.{self.name}"


class SchemaDiff(msgspec.Struct, frozen=True, kw_only=True):
    """All differences from one snapshot version to another; `from_version` 0 = nothing before."""

    from_version: int
    to_version: int
    changes: tuple[Change, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Whether anything differs."""
        return bool(self.changes)

    @property
    def breaking(self) -> tuple[Change, ...]:
        """The changes that make SQL fail which worked before."""
        return tuple(change for change in self.changes if change.severity == "breaking")

    def tables(self, *rules: str) -> tuple[str, ...]:
        """Labels of the tables that have a change of one of these rules."""
        return tuple(change.label for change in self.changes if change.rule in rules)

    @property
    def modified_tables(self) -> tuple[str, ...]:
        """Labels of the tables that were there before and are there now, but changed."""
        return tuple(
            dict.fromkeys(
                change.label
                for change in self.changes
                if change.object_kind == "table"
                and change.rule not in ("table_added", "table_removed")
            )
        )
