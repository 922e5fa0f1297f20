"""The dialects that are read through reflection, one module each. A new one is added here."""

from __future__ import annotations

from collections.abc import Mapping

from twd_schema.extraction.dialects import mysql, sqlite
from twd_schema.extraction.dialects.dialect import Dialect

DIALECTS: Mapping[str, Dialect] = {"mysql": mysql.DIALECT, "sqlite": sqlite.DIALECT}
