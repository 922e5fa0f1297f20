"""What the UI shows of a connection's documentation."""

from typing import Any

import dagster as dg

from twd_schema.documentation.documenting import Documented


def documentation_metadata(documented: Documented, database_name: str) -> dict[str, Any]:
    """Metadata of one materialization; `problem` is there only if there was one."""
    # A comment of the source must not end the fence.
    example = documented.example.replace("```", "'" * 3)
    shown = {
        "database_name": database_name,
        "documented_tables": len(documented.cards),
        "described_by_model": documented.by_model,
        "described_by_people": documented.by_people,
        "not_described": documented.not_described,
        "asked_now": documented.asked_now,
        "cached": documented.cached,
        "version": documented.version,
        "example": dg.MetadataValue.md(f"```text\n{example}\n```"),
    }
    return shown | ({"problem": documented.problem} if documented.problem else {})
