"""What users wrote in the application's table `training_data`, and whether it has changed.

Names of that table's columns belong nowhere else. Answers of the assistant are read in `mining.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from twd_shared.clients.application import ApplicationDatabase
from twd_shared.errors import ApplicationRefused
from twd_training.examples.models import KINDS, LONGEST_TEXT, Submission

# Which table the role sees by that name, or null; asked first, because it may not exist.
_PRESENT = "select to_regclass('training_data') is not null as present"
# A digest over ids and times: a deleted row and an added one cannot cancel out. Some applications
# write a time only when a row is changed; without one it is a row all the same.
_MARKERS = """
select connection_id::text as connection_id, count(*) as item_count,
       md5(string_agg(concat(id, ':', extract(epoch from updated_at)), ','
                      order by id::text)) as marker
from training_data
where $1::text is null or connection_id::text = $1
group by connection_id
"""
# Of what is too long to be taught as much as shows it: rows are read, and stored, as they come.
_ROWS = """
select id::text as id, kind,
       left(question::text, $2) as question, left(content::text, $2) as content
from training_data
where connection_id::text = $1
order by training_data.id
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one connection's users wrote; `marker` changes when anything of it does.

    `has_table` is False when the application keeps no training data at all; `unknown_kinds`
    counts rows whose kind this project does not know.
    """

    submissions: tuple[Submission, ...]
    marker: str
    has_table: bool
    unknown_kinds: int


def read_submissions(
    application: ApplicationDatabase, connection_id: str, *, had_some: bool
) -> Reading:
    """Everything that users wrote for a connection.

    The marker is read before the rows: a change in between is noticed later, never lost.
    Raises ApplicationUnavailable, and ApplicationRefused as `read_markers`.
    """
    if not _has_table(application, had_some):
        return Reading((), "", has_table=False, unknown_kinds=0)
    markers = application.fetch(_MARKERS, connection_id)
    rows = application.fetch(_ROWS, connection_id, LONGEST_TEXT + 1)
    submissions = tuple(
        Submission(row["id"], row["kind"], row["question"], row["content"] or "")
        for row in rows
        if row["kind"] in KINDS
    )
    return Reading(
        submissions=submissions,
        marker=str(markers[0]["marker"]) if markers else "",
        has_table=True,
        unknown_kinds=len(rows) - len(submissions),
    )


def read_markers(application: ApplicationDatabase, *, had_some: bool) -> dict[str, str]:
    """Marker by connection id, for those that have training data.

    Raises ApplicationUnavailable, and ApplicationRefused if there was some and the table is gone.
    """
    if not _has_table(application, had_some):
        return {}
    return {
        str(row["connection_id"]): str(row["marker"]) for row in application.fetch(_MARKERS, None)
    }


def _has_table(application: ApplicationDatabase, had_some: bool) -> bool:
    if application.fetch(_PRESENT)[0]["present"]:
        return True
    if had_some:
        # Another database by mistake, or a migration on its way, is no deletion by users.
        raise ApplicationRefused(
            f"The application database {application.place} has no table training_data any more. "
            "What users taught stays as it was. Check that TWD_APPLICATION_DSN names the "
            "application's database and that the application's own migrations have run; if users "
            "teach no more, leave the table there, empty."
        )
    return False
