"""How names and keys of a schema are told in words: for cards, documents and questions."""

from __future__ import annotations

import re

from twd_shared.schema_model.models import ForeignKey, Table


def words(name: str) -> str:
    """An identifier as words: `filmActorID2` and `film_actor_id_2` become `film actor id 2`."""
    spaced = re.sub(r"(?<=[a-zà-ỹ0-9])(?=[A-ZĐ])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    spaced = re.sub(r"(?<=[^\W\d_])(?=\d)", " ", spaced)
    return " ".join(re.split(r"[\W_]+", spaced)).strip().lower() or name


def relationship(table: Table, key: ForeignKey) -> str:
    """One sentence on a foreign key, with the condition that joins the two tables."""
    target = f"{key.referenced_schema}.{key.referenced_table}".lstrip(".")
    optional = any(column.nullable for column in table.columns if column.name in key.columns)
    pairs = zip(key.columns, key.referenced_columns, strict=False)
    condition = " and ".join(f"{table.label}.{own} = {target}.{other}" for own, other in pairs)
    sentence = (
        f"Each {words(table.name)} {'may refer' if optional else 'refers'} "
        f"to a {words(key.referenced_table)}"
    )
    joined = f"join them on {condition}" if condition else f"{table.label} to {target}"
    return f"{sentence}: {joined}."
