"""The sensor that has a day measured again when messages came late or were changed."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime

import dagster as dg

from twd_analytics.defs.days import FIRST_DAY
from twd_analytics.defs.jobs import ALL_OF_A_DAY
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.contract import TRIGGER_TAG
from twd_shared.errors import ApplicationUnavailable, TwdError
from twd_shared.resources.stores import ApplicationDatabaseResource, MetadataStoreResource
from twd_shared.run_requests import Attempts, runs_in_flight
from twd_shared.run_subjects import covers
from twd_shared.schema_model.wording import counted
from twd_shared.settings import Settings

_NAME = "late_messages_sensor"
_INTERVAL_SECONDS = 600
# Dagster ends a tick after 60 s: no day is begun after the second of these, and one may wait as
# long again for its connection and its locks.
_MOST_SECONDS_A_DAY = 15
_MOST_SECONDS = 20
_MOST_NAMED = 10
# With their waits, about two hours. After that a person has to see what is wrong.
_MOST_TRIES = 8


def late_messages_sensor(
    settings: Settings,
    job: "dg.UnresolvedAssetJobDefinition",
    present: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dg.SensorDefinition:
    """The sensor `late_messages_sensor`; `present` gives the present moment."""

    @dg.sensor(
        name=_NAME,
        job=job,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Compares the messages of the last {settings.late_days} days with those that their "
            "statistics were measured from, and has a day measured again where late ones came or "
            "some were changed, but not where there are fewer, or fewer name their connection; one "
            "that was measured in another time zone; and one that was not measured, if it has "
            "messages or an earlier one was. "
            "Days that a slow application leaves no time for come first at a later tick. "
            f"A failed run is requested again, with waits, {_MOST_TRIES} times in all."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        application: ApplicationDatabaseResource,
        metadata_store: MetadataStoreResource,
    ) -> dg.SensorResult | dg.SkipReason:
        from twd_analytics.messages.days import last_days
        from twd_analytics.messages.measured_days import (
            MEASURES,
            days_to_measure,
            first_measured_day,
            measured_states,
        )

        moment = present()
        days = [
            day
            for day in last_days(moment, settings.timezone, settings.late_days)
            if day.isoformat() >= FIRST_DAY
        ]
        if not days:
            return dg.SkipReason("No days are looked at: TWD_LATE_DAYS is 0.")
        # Each day comes first in its turn: none waits for ever behind days that take too long.
        turn = int(moment.timestamp()) // _INTERVAL_SECONDS % len(days)
        try:
            now, problem = _states(application.dsn, settings.timezone, days[turn:] + days[:turn])
            measured = [
                measured_states(metadata_store.database, measure, days, settings.timezone)
                for measure in MEASURES
            ]
            first = first_measured_day(metadata_store.database)
        except TwdError as error:
            return dg.SkipReason(str(error))
        wishes = days_to_measure(now, measured, first)
        missed = [day for day in days if day not in now]
        attempts = Attempts(context.cursor, _MOST_TRIES)
        attempts.forget_others({day.isoformat() for day in (*wishes, *missed)})
        requests = _requests(context.instance, attempts, wishes, moment.timestamp())
        if missed:
            named = ", ".join(day.isoformat() for day in missed[:_MOST_NAMED])
            problem = (
                f"{counted(len(missed), 'day')} not looked at, and first at a later tick: {named}"
                f"{', …' if len(missed) > _MOST_NAMED else ''}. {problem}"
            ).strip()
            context.log.warning(problem)
        if requests:
            reason = None
        elif missed:
            reason = dg.SkipReason(problem)
        else:
            reason = _nothing_to_do(days, wishes, attempts)
        return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=attempts.cursor())

    return sensor


def _states(dsn: str, timezone: str, days: Sequence[date]) -> tuple[dict[date, str], str]:
    """The state of the messages of as many of the days as there is time for; of the rest, why not.

    One statement a day: all of them at once take too long where a day has millions of messages.
    Raises as `MessageLog.states_of`, but for an application that is too slow or away.
    """
    from twd_analytics.messages.reading import MessageLog

    log = MessageLog(ApplicationDatabase(dsn, _MOST_SECONDS_A_DAY), timezone)
    deadline = time.monotonic() + _MOST_SECONDS
    found: dict[date, str] = {}
    problem = ""
    for day in days:
        if time.monotonic() > deadline:
            break
        try:
            found |= log.states_of([day])
        except ApplicationUnavailable as error:
            problem = str(error)
    return found, problem


def _requests(
    instance: dg.DagsterInstance, attempts: Attempts, wishes: Mapping[date, str], now: float
) -> list[dg.RunRequest]:
    running = runs_in_flight(instance, ALL_OF_A_DAY, {}) if wishes else []
    requests: list[dg.RunRequest] = []
    for day, wish in wishes.items():
        key = day.isoformat()
        if attempts.is_due(key, wish, now) and not any(covers(run, key) for run in running):
            attempts.record(key, wish, now)
            requests.append(
                dg.RunRequest(
                    partition_key=key,
                    asset_selection=list(ALL_OF_A_DAY),
                    tags={TRIGGER_TAG: _NAME},
                )
            )
    return requests


def _nothing_to_do(
    days: list[date], wishes: Mapping[date, str], attempts: Attempts
) -> dg.SkipReason:
    if not wishes:
        return dg.SkipReason(f"{days[0]} to {days[-1]} were measured from all messages of now.")
    given_up = [
        day.isoformat()
        for day, wish in wishes.items()
        if attempts.has_given_up(day.isoformat(), wish)
    ]
    if given_up:
        return dg.SkipReason(
            f"{', '.join(given_up)}: {_MOST_TRIES} runs have failed, and none is requested any "
            "more. See why in their last run, and then run analytics_job for these days."
        )
    return dg.SkipReason(
        f"To be measured: {counted(len(wishes), 'day')}, whose runs are in flight, or have failed "
        "and wait for their next try."
    )
