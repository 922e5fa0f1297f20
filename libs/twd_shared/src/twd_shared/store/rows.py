"""Rows of the metadata database as the dataclasses whose fields are called as its columns."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Item = TypeVar("_Item", bound="DataclassInstance")


def of_row(cls: type[_Item], row: sa.Row[Any], **instead: object) -> _Item:
    """The row as `cls`; a field that is given `instead` is not read from it."""
    columns = row._mapping
    names = (field.name for field in fields(cls))
    return cls(**{name: columns[name] for name in names if name not in instead}, **instead)
