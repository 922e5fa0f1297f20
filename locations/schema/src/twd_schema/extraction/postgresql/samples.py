"""The few values of a column, from the planner's statistics, with a guard for personal data.

Only for connections that opted in. A column is told only if all its values are known, each stands
in many rows, and neither its name nor a value looks like data of a person or a secret.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from twd_schema.extraction.postgresql.building import Row, Rows
from twd_shared.schema_model.models import Snapshot
from twd_shared.schema_model.wording import words

LARGEST_CATEGORY = 30
"""Most values that a category has."""
# A value of fewer rows may point to a person.
_LEAST_ROWS = 10
_LONGEST_VALUE = 40

_PERSONAL_NAMES = frozenset(
    """
    name names firstname lastname surname fullname nickname username login user email mail phone
    mobile fax tel telephone address street zip zipcode postcode postal birth birthday birthdate
    dob age gender sex ssn passport iban account card cvv pin password passwd pwd secret token key
    hash salt ip mac latitude longitude lat lon lng location religion ethnicity nationality
    diagnosis disease health salary note notes comment comments description message body text
    ho ten hoten sdt dienthoai diachi ngaysinh cmnd cccd matkhau luong gioitinh tuoi
    """.split()
)
_PERSONAL_VALUE = re.compile(r"@|\d{6,}|\d{1,3}(?:\.\d{1,3}){3}|\d[\d .()/-]{7,}\d|^eyJ|^\+?\d{7,}")


def with_categories(snapshot: Snapshot, rows: Mapping[str, Rows]) -> Snapshot:
    """The snapshot with the values of its columns of few values, as `rows["samples"]` has them."""
    if not rows["samples"]:
        return snapshot
    places = {row["oid"]: (row["nspname"], row["relname"]) for row in rows["tables"]}
    found: defaultdict[tuple[str, str], dict[str, tuple[str, ...]]] = defaultdict(dict)
    estimates = {(item.schema, item.table): item.row_estimate for item in snapshot.statistics}
    for row in rows["samples"]:
        place = places[row["oid"]]
        values = category(row, estimates.get(place) or 0)
        if values:
            found[place][row["attname"]] = values
    return msgspec.structs.replace(
        snapshot,
        statistics=tuple(
            msgspec.structs.replace(item, categories=found[item.schema, item.table])
            if (item.schema, item.table) in found
            else item
            for item in snapshot.statistics
        ),
    )


def category(row: Row, row_estimate: int) -> tuple[str, ...]:
    """The values in a row of pg_stats in sorted order, or none if they may not be told.

    `row` has attname, n_distinct, values and frequencies (shares of all rows, with commas).
    """
    values = row["values"]
    least_frequent = min(float(share) for share in row["frequencies"].split(","))
    if len(values) != round(row["n_distinct"]) or _names_a_person(row["attname"]):
        return ()
    if least_frequent * row_estimate < _LEAST_ROWS:
        return ()
    if any(len(value) > _LONGEST_VALUE or _PERSONAL_VALUE.search(value) for value in values):
        return ()
    return tuple(sorted(values))


def _names_a_person(column: str) -> bool:
    parts = words(column).split()
    return not _PERSONAL_NAMES.isdisjoint(parts) or "".join(parts) in _PERSONAL_NAMES
