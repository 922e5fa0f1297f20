"""What the UI shows of where an asset's values are kept: table name and column schema."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


def stored_in(table: sa.Table) -> Mapping[str, Any]:
    """Definition metadata of an asset whose values are rows of `table`."""
    return {
        "dagster/table_name": table.fullname,
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    column.name,
                    type=column.type.compile(dialect=postgresql.dialect()).lower(),
                    description=column.comment,
                    constraints=dg.TableColumnConstraints(nullable=bool(column.nullable)),
                )
                for column in table.columns
            ]
        ),
    }
