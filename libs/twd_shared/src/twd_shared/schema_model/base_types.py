"""What the types of columns stand on: an array on its element, a domain on its base.

Pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping

from twd_shared.schema_model.ddl.names import qualified
from twd_shared.schema_model.models import EnumType, Snapshot


def bases_of_domains(snapshot: Snapshot) -> dict[str, str]:
    """The type that each domain stands on, by the domain; both as columns spell them."""
    return {qualified(item.schema, item.name): item.type for item in snapshot.domains}


def types_within(column_type: str, bases: Mapping[str, str]) -> tuple[str, ...]:
    """The types that a column's type stands on, itself first; arrays by what they are made of.

    A domain may stand on another one, or on an array.
    """
    # Of a dict, for its order.
    found: dict[str, None] = {}
    kind = column_type.removesuffix("[]")
    while kind and kind not in found:
        found[kind] = None
        kind = bases.get(kind, "").removesuffix("[]")
    return tuple(found)


def enums_by_type(snapshot: Snapshot) -> dict[str, EnumType]:
    """Each enum, by its own type and by every domain over it, as columns spell them."""
    bases = bases_of_domains(snapshot)
    enums = {qualified(item.schema, item.name): item for item in snapshot.enums}
    return enums | {
        domain: enums[last]
        for domain in bases
        if (last := types_within(domain, bases)[-1]) in enums
    }
