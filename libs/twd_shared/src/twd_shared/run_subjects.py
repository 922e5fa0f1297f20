"""What a run stands for, and whether it works again: told by what was written, not by which job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg
import msgspec

PARTITION_TAG = "dagster/partition"
# On a run of all partitions from one to another, in place of the tag of one.
_FIRST_TAG, _LAST_TAG = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
# Between the two, as Dagster writes a range for people.
_TO = "..."
# On a run that leaves out the steps which had succeeded in the run that it repeats.
_RESUMES_TAG = "dagster/is_resume_retry"
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_PAGE, _MOST_RUNS = 100, 1000


class RunSubject(msgspec.Struct, frozen=True):
    """What a run stands for: the assets that it writes of a partition, or of a range of them.

    Two jobs that write the same are one subject. `job` is '' then; a run that writes no asset
    stands for its job. `assets` are sorted, as `schema/raw_schema_metadata`.
    """

    location: str
    job: str
    partition: str
    assets: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: dg.DagsterRun, instance: dg.DagsterInstance) -> RunSubject:
        """The subject of a run of this instance."""
        assets = _whole_assets_of(run, instance)
        return cls(
            location_of(run),
            "" if assets else run.job_name,
            partition_of(run),
            tuple(sorted(key.to_user_string() for key in assets)),
        )

    def is_part_of(self, run: dg.DagsterRun, instance: dg.DagsterInstance) -> bool:
        """Whether the run does all of it, and maybe more."""
        if self.location != location_of(run) or not covers(run, self.partition):
            return False
        if not self.assets:
            return run.job_name == self.job
        return set(self.assets) <= {key.to_user_string() for key in _whole_assets_of(run, instance)}

    def text(self) -> str:
        """The subject as an alert keeps it."""
        return msgspec.json.encode(self, order="deterministic").decode()

    @classmethod
    def from_text(cls, text: str) -> RunSubject:
        """The subject that `text` gave."""
        return msgspec.json.decode(text, type=cls)


def partition_of(run: dg.DagsterRun) -> str:
    """The partition of a run, `first...last` of one over several, '' of one without."""
    first, last = run.tags.get(_FIRST_TAG), run.tags.get(_LAST_TAG)
    if first is None or last is None:
        return run.tags.get(PARTITION_TAG, "")
    return first if first == last else f"{first}{_TO}{last}"


def covers(run: dg.DagsterRun, partition: str) -> bool:
    """Whether a run is of that partition, or of all of that range, and maybe of more.

    Days alone are run in ranges, and their order is that of texts.
    """
    own = partition_of(run)
    if _TO not in own:
        return own == partition
    (first, last), (wanted, until) = _ends(own), _ends(partition)
    return first <= wanted and until <= last


def _ends(partition: str) -> tuple[str, str]:
    first, _, last = partition.partition(_TO)
    return first, last or first


def planned_assets(run: dg.DagsterRun, instance: dg.DagsterInstance) -> frozenset[dg.AssetKey]:
    """The assets that the run was to write when it was created, whether or not it came so far."""
    planned = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    ).records
    return frozenset(record.asset_key for record in planned if record.asset_key)


def location_of(run: dg.DagsterRun) -> str:
    """The code location of a run; '' if it was started outside of one."""
    origin = run.remote_job_origin
    return origin.repository_origin.code_location_origin.location_name if origin else ""


def mending_run(
    instance: dg.DagsterInstance, subject: RunSubject, failed_run_id: str, raised_at: datetime
) -> dg.DagsterRun | None:
    """The run that shows that the subject works again after this failure, or None.

    Only the newest run that ended counts: what failed again after a success does not work.
    """
    failed = instance.get_run_record_by_id(failed_run_id)
    if failed is not None and failed.end_time is None:
        return None
    # Of a run that was deleted nothing is known but when its alert was raised.
    since = failed.end_time if failed and failed.end_time else raised_at.timestamp()
    ended = [item for item in _ended_runs(instance, subject, since) if (item.end_time or 0) > since]
    for record in sorted(ended, key=lambda item: item.end_time or 0, reverse=True):
        if subject.is_part_of(record.dagster_run, instance):
            succeeded = record.dagster_run.status == dg.DagsterRunStatus.SUCCESS
            return record.dagster_run if succeeded else None
    return None


def _ended_runs(
    instance: dg.DagsterInstance, subject: RunSubject, since: float
) -> Iterator[dg.RunRecord]:
    """Runs that may be of the subject; of a partition and of ranges 1,000 each, newest first."""
    partition = subject.partition
    asked: list[dict[str, str | list[str]] | None] = []
    if not partition:
        asked.append(None)
    elif _TO not in partition:
        asked.append({PARTITION_TAG: partition})
    first, _ = _ends(partition)
    if _is_day(first) and (starts := _starts_until(instance, first)):
        asked.append({_FIRST_TAG: starts})
    for tags in asked:
        wanted = dg.RunsFilter(
            job_name=subject.job or None,
            statuses=_ENDED,
            tags=tags,
            updated_after=datetime.fromtimestamp(since, UTC),
        )
        yield from _newest_runs(instance, wanted)


def _is_day(partition: str) -> bool:
    try:
        date.fromisoformat(partition)
    except ValueError:
        return False
    return True


def _starts_until(instance: dg.DagsterInstance, first: str) -> list[str]:
    """The first days of all ranges that begin early enough."""
    return [
        start
        for _, starts in instance.get_run_tags([_FIRST_TAG])
        for start in sorted(starts)
        if start <= first
    ]


def _newest_runs(instance: dg.DagsterInstance, wanted: dg.RunsFilter) -> Iterator[dg.RunRecord]:
    cursor = None
    for _ in range(_MOST_RUNS // _PAGE):
        page = instance.get_run_records(wanted, limit=_PAGE, cursor=cursor)
        yield from page
        if len(page) < _PAGE:
            return
        cursor = page[-1].dagster_run.run_id


def _whole_assets_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> frozenset[dg.AssetKey]:
    """The assets that the run was to write, with those of the run that it goes on with."""
    whole = run
    # A run that goes on where another failed does, with that one, all of it.
    while whole.tags.get(_RESUMES_TAG) == "true" and whole.parent_run_id:
        parent = instance.get_run_by_id(whole.parent_run_id)
        if parent is None:
            break
        whole = parent
    return planned_assets(whole, instance)
