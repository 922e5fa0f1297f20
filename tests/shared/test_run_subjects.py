"""Which runs stand for the same, and which run shows that what had failed works again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from twd_shared.run_subjects import RunSubject, mending_run

PARTITIONS = dg.StaticPartitionsDefinition(["shop", "store"])


def asset(name: str) -> dg.AssetsDefinition:
    @dg.asset(name=name, partitions_def=PARTITIONS)
    def made(context) -> None:  # Dagster reads the annotation, which is a text in this module.
        if context.run.tags.get("breaks") == name:
            raise dg.Failure("The source is away.")

    return made


# By name, what each job writes.
JOBS = {"import_job": "ab", "sync_job": "ab", "part_job": "a", "whole_job": "abc"}
DEFINITIONS = dg.Definitions(
    assets=[asset(name) for name in "abc"],
    jobs=[
        dg.define_asset_job(name, selection=dg.AssetSelection.assets(*assets))
        for name, assets in JOBS.items()
    ],
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run(
    instance: dg.DagsterInstance,
    job: str,
    breaks: str = "",
    partition: str = "shop",
    assets: str = "",
) -> dg.DagsterRun:
    """A run of the job, of `assets` alone if they are given; asset `breaks` fails."""
    result = DEFINITIONS.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition,
        tags={"breaks": breaks},
        asset_selection=[dg.AssetKey(name) for name in assets] or None,
        raise_on_error=False,
    )
    ended = instance.get_run_by_id(result.run_id)
    assert ended is not None
    return ended


def mends(instance: dg.DagsterInstance, failed: dg.DagsterRun) -> str:
    """The id of the run that shows that the failed one's subject works again, or ''."""
    subject = RunSubject.from_text(RunSubject.of(failed, instance).text())
    found = mending_run(instance, subject, failed.run_id, datetime.now(UTC))
    return found.run_id if found else ""


def test_jobs_that_write_the_same_of_a_partition_are_one_subject(
    instance: dg.DagsterInstance,
) -> None:
    first, second = (run(instance, job) for job in ("import_job", "sync_job"))
    by_assets = run(instance, "whole_job", assets="ba")
    assert RunSubject.of(first, instance) == RunSubject.of(second, instance)
    assert RunSubject.of(by_assets, instance) == RunSubject.of(first, instance)


@pytest.mark.parametrize(("job", "partition"), [("part_job", "shop"), ("sync_job", "store")])
def test_runs_of_other_assets_or_partitions_are_other_subjects(
    instance: dg.DagsterInstance, job: str, partition: str
) -> None:
    other = RunSubject.of(run(instance, job, partition=partition), instance)
    assert other != RunSubject.of(run(instance, "sync_job"), instance)


def test_what_failed_keeps_all_that_it_was_to_write(instance: dg.DagsterInstance) -> None:
    failed = RunSubject.of(run(instance, "sync_job", breaks="a"), instance)
    assert failed.assets == ("a", "b")


@pytest.mark.parametrize("job", ["import_job", "sync_job", "whole_job"])
def test_a_run_that_writes_as_much_or_more_mends(instance: dg.DagsterInstance, job: str) -> None:
    failed = run(instance, "sync_job", breaks="b")
    assert mends(instance, failed) == ""
    mending = run(instance, job)
    assert mends(instance, failed) == mending.run_id


@pytest.mark.parametrize(("job", "partition"), [("part_job", "shop"), ("sync_job", "store")])
def test_a_run_that_writes_less_or_another_partition_does_not_mend(
    instance: dg.DagsterInstance, job: str, partition: str
) -> None:
    failed = run(instance, "sync_job", breaks="b")
    run(instance, job, partition=partition)
    assert mends(instance, failed) == ""


def run_of_days(
    instance: dg.DagsterInstance, first: str, last: str = "", *, breaks: bool = False
) -> dg.DagsterRun:
    """A run of one day, or of all from the first to the last, as a chunk of a backfill is one."""

    @dg.asset(
        partitions_def=dg.DailyPartitionsDefinition("2026-01-01"),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def measured() -> None:
        if breaks:
            raise dg.Failure("The application is away.")

    ends = {"start": first, "end": last}
    result = dg.materialize(
        [measured],
        instance=instance,
        partition_key=None if last else first,
        tags={f"dagster/asset_partition_range_{end}": day for end, day in ends.items() if last},
        raise_on_error=False,
    )
    ended = instance.get_run_by_id(result.run_id)
    assert ended is not None
    return ended


@pytest.mark.parametrize(
    ("failed", "later", "is_mended"),
    [
        (("2026-01-02", "2026-01-10"), ("2026-01-02", "2026-01-10"), True),
        (("2026-01-02", "2026-01-10"), ("2026-01-01", "2026-01-11"), True),
        (("2026-01-02", "2026-01-10"), ("2026-01-03", "2026-01-11"), False),
        (("2026-01-02", "2026-01-10"), ("2026-01-11", "2026-01-20"), False),
        (("2026-01-02", "2026-01-10"), ("2026-01-02",), False),
        (("2026-01-02",), ("2026-01-01", "2026-01-11"), True),
        (("2026-01-02",), ("2026-01-02", "2026-01-02"), True),
        (("2026-01-02",), ("2026-01-03", "2026-01-11"), False),
        (("2026-01-02", "2026-01-02"), ("2026-01-02",), True),
    ],
)
def test_what_failed_for_days_is_mended_by_a_run_of_all_of_them(
    instance: dg.DagsterInstance, failed: tuple[str, ...], later: tuple[str, ...], is_mended: bool
) -> None:
    broken = run_of_days(instance, *failed, breaks=True)
    mending = run_of_days(instance, *later)
    assert mends(instance, broken) == (mending.run_id if is_mended else "")


def test_a_success_before_the_failure_does_not_mend(instance: dg.DagsterInstance) -> None:
    run(instance, "sync_job")
    assert mends(instance, run(instance, "sync_job", breaks="b")) == ""


def test_a_success_after_which_another_job_failed_at_the_same_does_not_mend(
    instance: dg.DagsterInstance,
) -> None:
    failed = run(instance, "sync_job", breaks="b")
    run(instance, "sync_job")
    run(instance, "import_job", breaks="a")
    assert mends(instance, failed) == ""
    last = run(instance, "import_job")
    assert mends(instance, failed) == last.run_id


def test_a_run_that_goes_on_where_another_failed_does_all_of_it(
    instance: dg.DagsterInstance,
) -> None:
    failed = run(instance, "sync_job", breaks="b")
    resumed = DEFINITIONS.resolve_job_def("sync_job").execute_in_process(
        instance=instance,
        partition_key="shop",
        asset_selection=[dg.AssetKey("b")],
        tags={"dagster/is_resume_retry": "true"},
    )
    done = instance.get_run_by_id(resumed.run_id)
    assert done is not None
    assert RunSubject.of(done, instance).assets == ("b",)
    goes_on = done._replace(parent_run_id=failed.run_id, root_run_id=failed.run_id)
    assert RunSubject.of(goes_on, instance) == RunSubject.of(failed, instance)


def test_runs_that_write_no_asset_stand_for_their_job(instance: dg.DagsterInstance) -> None:
    @dg.op
    def step() -> None: ...

    subjects = []
    for name in ("one_job", "one_job", "other_job"):

        @dg.job(name=name)
        def made() -> None:
            step()

        result = made.execute_in_process(instance=instance)
        subjects.append(RunSubject.of(result.dagster_run, instance))
    assert subjects[0] == subjects[1] != subjects[2]
    assert subjects[0].job == "one_job"
