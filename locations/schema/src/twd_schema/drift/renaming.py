"""A snapshot from before, said in today's names: what is left to differ is a change of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

import msgspec

from twd_schema.drift.following import NamePairs, follows
from twd_schema.drift.renames import Pairing
from twd_shared.schema_model.ddl.names import quote_name
from twd_shared.schema_model.fingerprint import key_of, objects_by_key
from twd_shared.schema_model.models import (
    Collation,
    Column,
    CompositeType,
    Constraint,
    DomainType,
    EnumType,
    Extension,
    ForeignKey,
    Index,
    Key,
    ObjectKey,
    RangeType,
    Routine,
    SchemaObject,
    Sequence,
    Snapshot,
    Table,
)

_with = msgspec.structs.replace
_T = TypeVar("_T", bound=msgspec.Struct)
_Named = TypeVar("_Named", Key, ForeignKey, Constraint)


def in_new_names(
    before: Snapshot, after: Snapshot, pairing: Pairing
) -> dict[ObjectKey, SchemaObject]:
    """What was there before, by the key that it has or would have now, without what is lost."""
    new = objects_by_key(after)
    names = _Names(pairing)
    said: dict[ObjectKey, SchemaObject] = {}
    for item in before.objects:
        key = key_of(item)
        if key not in pairing.lost:
            now = pairing.new_key(key)
            # A partition that was detached is one still, by its new name.
            said[(key[0], *now[1:])] = names.said(key, item, new[now]) if now in new else item
    return said


class _Names:
    """The renames, ready to be applied to one object after the other."""

    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing
        names = {
            pair
            for old, new in pairing.objects.items()
            for pair in ((old[1], new[1]), (_bare(old), _bare(new)))
        }
        self._names = frozenset(pair for pair in names if pair[0] != pair[1])
        self._labels = frozenset(
            pair
            for key, members in pairing.members.items()
            if key[0] == "enum"
            for pair in members.items()
        )

    def said(self, key: ObjectKey, item: SchemaObject, now: SchemaObject) -> SchemaObject:
        """The old object in new names; its texts are those of `now` where they only follow."""
        if isinstance(item, Table) and isinstance(now, Table):
            return self._table(key, item, now)
        if isinstance(item, EnumType):
            members = self._pairing.members.get(key, {})
            lost = self._pairing.lost_members(key, item.labels)
            labels = [members.get(label, label) for label in item.labels if label not in lost]
            return _with(item, schema=now.schema, name=now.name, labels=tuple(labels))
        if isinstance(item, Sequence):
            return self._sequence(item, now)
        if isinstance(item, Collation):
            return _with(item, schema=now.schema, name=now.name)
        texts = self._object(item, now)
        if isinstance(texts, (DomainType, CompositeType, RangeType, Routine, Extension)):
            needs = self._needs(texts.depends_on)
            return _with(texts, schema=now.schema, name=now.name, depends_on=needs)
        return _with(texts, name=now.name)

    def _object(self, item: SchemaObject, now: SchemaObject) -> SchemaObject:
        pairs = self._pairs({}, item.depends_on if isinstance(item, Routine) else ())
        if isinstance(item, DomainType) and isinstance(now, DomainType):
            # Since PostgreSQL 18 a NOT NULL has a name, and one that is the usual one is not told.
            usual = (f"{item.name}_not_null", f"{now.name}_not_null")
            checks = _alike(item.constraints, now.constraints, pairs)
            return _with(
                _texts(item, now, pairs, "type", "default", "collation"),
                constraints=_usual_told(checks, now.constraints, usual[:1], usual[1:]),
            )
        if isinstance(item, CompositeType) and isinstance(now, CompositeType):
            return _with(item, attributes=_columns(item.attributes, now.attributes, pairs))
        if isinstance(item, RangeType) and isinstance(now, RangeType):
            same = len(item.options) == len(now.options) and all(
                follows(one, other, pairs)
                for one, other in zip(item.options, now.options, strict=True)
            )
            return _with(item, options=now.options) if same else item
        if isinstance(item, Routine):
            return _texts(item, now, pairs, "arguments", "definition")
        return item

    def _sequence(self, item: Sequence, now: SchemaObject) -> Sequence:
        owner = item.owner
        if owner is not None:
            columns = self._pairing.columns_of(owner.schema, owner.table)
            schema, table = self._pairing.new_relation(owner.schema, owner.table)
            column = columns.get(owner.column, owner.column)
            owner = _with(owner, schema=schema, table=table, column=column)
        return _with(item, schema=now.schema, name=now.name, owner=owner)

    def _table(self, key: ObjectKey, item: Table, now: Table) -> Table:
        renamed = self._pairing.members.get(key, {})
        referenced = [("table", k.referenced_schema, k.referenced_table) for k in item.foreign_keys]
        pairs = self._pairs(renamed, (*item.depends_on, *referenced))
        lost = self._pairing.lost_members(key, [column.name for column in item.columns])
        columns = [
            _with(column, name=renamed.get(column.name, column.name))
            for column in item.columns
            if column.name not in lost
        ]
        keys = (*((now.primary_key,) if now.primary_key else ()), *now.unique_constraints)
        primary = (_renamed_key(item.primary_key, renamed),) if item.primary_key else ()
        unique = [_renamed_key(key, renamed) for key in item.unique_constraints]
        foreign = [self._foreign_key(key, renamed) for key in item.foreign_keys]
        checks = _alike(item.constraints, now.constraints, pairs)
        part = item.partition_of
        if part is not None and now.partition_of is not None:
            schema, table = self._pairing.new_relation(part.schema, part.table)
            part = _texts(_with(part, schema=schema, table=table), now.partition_of, pairs, "bound")
        return _with(
            _texts(item, now, pairs, "definition", "partition_key"),
            schema=now.schema,
            name=now.name,
            columns=_columns(columns, now.columns, pairs),
            primary_key=next(iter(_alike(primary, keys, pairs)), None),
            unique_constraints=_alike(unique, keys, pairs),
            foreign_keys=_alike(foreign, now.foreign_keys, pairs),
            constraints=_usual_told(checks, now.constraints, _usual_names(item), _usual_names(now)),
            indexes=tuple(_index(index, now.indexes, renamed, pairs) for index in item.indexes),
            partition_of=part,
            inherits=tuple(self._pairing.new_relation(*parent) for parent in item.inherits),
            depends_on=self._needs(item.depends_on),
        )

    def _foreign_key(self, key: ForeignKey, renamed: Mapping[str, str]) -> ForeignKey:
        schema, table = key.referenced_schema, key.referenced_table
        there = self._pairing.columns_of(schema, table)
        now = self._pairing.new_relation(schema, table)
        return _with(
            key,
            columns=_mapped(key.columns, renamed),
            referenced_schema=now[0],
            referenced_table=now[1],
            referenced_columns=_mapped(key.referenced_columns, there),
        )

    def _needs(self, keys: Iterable[ObjectKey]) -> tuple[ObjectKey, ...]:
        return tuple(sorted(self._pairing.new_key(key) for key in keys))

    def _pairs(self, own: Mapping[str, str], relations: Iterable[ObjectKey]) -> NamePairs:
        columns = set(own.items())
        for _, schema, name in relations:
            columns |= set(self._pairing.columns_of(schema, name).items())
        return NamePairs(self._names | columns, self._labels, frozenset(own.items()))


def _bare(key: ObjectKey) -> str:
    return key[2].rpartition("(")[0] if key[0] == "routine" else key[2]


def _mapped(names: Iterable[str], renamed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(renamed.get(name, name) for name in names)


def _texts(item: _T, now: msgspec.Struct, pairs: NamePairs, *fields: str) -> _T:
    """The item with those of its texts as they are now that only follow from renames."""
    told = {
        name: getattr(now, name)
        for name in fields
        if getattr(item, name) != getattr(now, name)
        and follows(getattr(item, name), getattr(now, name), pairs)
    }
    return _with(item, **told) if told else item


def _columns(
    columns: Iterable[Column], now: Iterable[Column], pairs: NamePairs
) -> tuple[Column, ...]:
    by_name = {column.name: column for column in now}
    return tuple(
        _texts(column, by_name[column.name], pairs, "type", "default", "generated", "collation")
        if column.name in by_name
        else column
        for column in columns
    )


def _renamed_key(key: Key, renamed: Mapping[str, str]) -> Key:
    return _with(key, columns=_mapped(key.columns, renamed))


def _alike(items: Iterable[_Named], now: Iterable[_Named], pairs: NamePairs) -> tuple[_Named, ...]:
    """The items with their definitions as in that of the same name, or in any that only follows."""
    others = list(now)
    by_name = {other.name: other for other in others}
    return tuple(
        _texts(item, by_name[item.name], pairs, "definition")
        if item.name in by_name
        else next(
            (
                told
                for other in others
                if (told := _texts(item, other, pairs, "definition")) is not item
            ),
            item,
        )
        for item in items
    )


def _index(
    index: Index, now: Iterable[Index], renamed: Mapping[str, str], pairs: NamePairs
) -> Index:
    for other in sorted(now, key=lambda other: other.name != index.name):
        if len(other.columns) != len(index.columns):
            continue
        with_name = NamePairs(
            {*pairs.names, (index.name, other.name)}, pairs.labels, pairs.own_columns
        )
        if follows(index.definition, other.definition, with_name):
            columns = [
                new if follows(renamed.get(old, old), new, pairs) else renamed.get(old, old)
                for old, new in zip(index.columns, other.columns, strict=True)
            ]
            told = _texts(index, other, pairs, "predicate")
            return _with(told, columns=tuple(columns), definition=other.definition)
    return _with(index, columns=_mapped(index.columns, renamed))


def _usual_names(table: Table) -> set[str]:
    return {f"{table.name}_{c.name}_not_null" for c in table.columns if not c.nullable}


def _usual_told(
    checks: Collection[Constraint],
    now: Collection[Constraint],
    usual: Collection[str],
    usual_now: Collection[str],
) -> tuple[Constraint, ...]:
    """The constraints, as a plain NOT NULL is told only if its name is not the usual one.

    With a rename, the usual name is another one, and the constraint keeps the one that it has.
    """
    names = {check.name for check in checks}
    names_now = {check.name for check in now}
    told = [
        check
        for check in checks
        if check.name in names_now or check.name not in usual_now or not _is_plain(check)
    ]
    told += [
        check
        for check in now
        if check.name not in names and check.name in usual and _is_plain(check)
    ]
    return tuple(sorted(told, key=lambda check: check.name))


def _is_plain(check: Constraint) -> bool:
    if check.comment is not None or not check.definition.startswith("NOT NULL"):
        return False
    column = check.definition.removeprefix("NOT NULL").strip()
    return not column or column == quote_name(column.strip('"').replace('""', '"'))
