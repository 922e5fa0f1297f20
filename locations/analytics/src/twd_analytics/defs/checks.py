"""Checks of a day's numbers. None of them blocks: a wrong number is shown, not hidden."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from twd_analytics.defs.assets import DAILY_QUERY_STATS, SQL_ACCURACY_REPORT
from twd_analytics.defs.days import EVEN_IF_FEWER_TAG, daily_partitions, days_of, span_of
from twd_shared.resources.failures import explained_failures
from twd_shared.resources.stores import ApplicationDatabaseResource, MetadataStoreResource
from twd_shared.schema_model.wording import counted
from twd_shared.settings import Settings

if TYPE_CHECKING:
    from twd_analytics.messages.measured_days import Measure

_TO_MEASURE_AGAIN = (
    "Their messages have changed since they were measured, TWD_TIMEZONE was another one then, or "
    "they were not measured. "
    "Days that late_messages_sensor does not look at stay as they are until you materialize them."
)
_GONE = (
    "{messages} fewer than when {days} measured, or fewer that name their connection: the numbers "
    "stay those of before. A run with the tag {tag} measures what is left."
)
_IN_FUTURE = (
    "The last message of the application is of {last}. A clock was ahead, or local times were "
    "written into a column without a time zone, which are read as UTC. They count when their day "
    "comes."
)
_NO_KNOWN_ROLE = (
    "No message of {day} is a user's or an assistant's: their roles are {roles}. Nothing of such "
    "messages is counted."
)
_CLOCK_TOLERANCE = timedelta(minutes=5)
_MOST_FAILING_SHARE = 0.3
_FEWEST_TO_JUDGE = 20


def checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Build the checks of both assets. Run without a partition, they look at yesterday."""
    partitions = daily_partitions(settings)

    def keys_of(context: dg.AssetCheckExecutionContext) -> list[str]:
        if context.has_partition_key:
            return [context.partition_key]
        if context.has_partition_key_range:
            return list(context.partition_keys)
        last = partitions.get_last_partition_key()
        return [last] if last else []

    @dg.asset_check(asset=DAILY_QUERY_STATS)
    def daily_query_stats_agree_with_source(
        context: dg.AssetCheckExecutionContext,
        application: ApplicationDatabaseResource,
        metadata_store: MetadataStoreResource,
    ) -> dg.AssetCheckResult:
        """The day's total is what the application's database counts another way.

        A day whose messages have changed since it was measured, or do so meanwhile, is another
        check's. Warns of a day all of whose messages have roles that are not known.
        """
        from twd_analytics.messages.measured_days import (
            has_none,
            is_measured_from,
            measured_states,
        )
        from twd_analytics.messages.reading import MessageLog
        from twd_analytics.usage.store import QueryStatsStore

        differing: dict[date, dict[str, int]] = {}
        with explained_failures():
            log = MessageLog(application.database, settings.timezone)
            store = QueryStatsStore(metadata_store.database)
            days = days_of(keys_of(context))
            now = log.states_of(days)
            measured = measured_states(metadata_store.database, "usage", days, settings.timezone)
            judged = [day for day in days if is_measured_from(measured.get(day), now[day])]
            for day in judged:
                stored = sum(one.total for one in store.totals(day, 1))
                in_source = log.count_of(day)
                if stored != in_source:
                    differing[day] = {"stored": stored, "in_source": in_source}
            later = log.states_of(list(differing)) if differing else {}
            moved = {day for day, state in later.items() if state != now[day]}
            unknown = {
                day: roles for day in days if has_none(now[day]) and (roles := log.roles_of(day))
            }
        found = {day.isoformat(): both for day, both in differing.items() if day not in moved}
        return dg.AssetCheckResult(
            passed=not found and not unknown,
            severity=dg.AssetCheckSeverity.ERROR if found else dg.AssetCheckSeverity.WARN,
            description=" ".join(
                _NO_KNOWN_ROLE.format(day=day.isoformat(), roles=", ".join(map(repr, roles)))
                for day, roles in unknown.items()
            )
            or None,
            metadata={
                "days": span_of([day for day in judged if day not in moved]),
                "days_that_differ": dg.MetadataValue.json(found),
            },
        )

    def up_to_date(asset: dg.AssetKey, measure: "Measure") -> dg.AssetChecksDefinition:
        @dg.asset_check(
            asset=asset,
            name=f"{asset.path[-1]}_up_to_date",
            description=(
                "The day was measured, in the zone of TWD_TIMEZONE, and no message of it was "
                "written, changed or deleted since."
            ),
        )
        def check(
            context: dg.AssetCheckExecutionContext,
            application: ApplicationDatabaseResource,
            metadata_store: MetadataStoreResource,
        ) -> dg.AssetCheckResult:
            from twd_analytics.messages.measured_days import (
                days_to_measure,
                first_measured_day,
                measured_states,
                messages_gone,
            )
            from twd_analytics.messages.reading import MessageLog

            with explained_failures():
                days = days_of(keys_of(context))
                now = MessageLog(application.database, settings.timezone).states_of(days)
                measured = measured_states(
                    metadata_store.database, measure, days, settings.timezone
                )
                first = first_measured_day(metadata_store.database)
            changed = [day.isoformat() for day in days_to_measure(now, [measured], first)]
            gone = {day: messages_gone(measured.get(day), now[day]) for day in days}
            fewer = {day.isoformat(): count for day, count in gone.items() if count}
            said = [_TO_MEASURE_AGAIN] if changed else []
            if fewer:
                told_days = f"{counted(len(fewer), 'day')} {'was' if len(fewer) == 1 else 'were'}"
                messages = counted(sum(fewer.values()), "message")
                said.append(_GONE.format(messages=messages, days=told_days, tag=EVEN_IF_FEWER_TAG))
            return dg.AssetCheckResult(
                passed=not said,
                severity=dg.AssetCheckSeverity.WARN,
                description=" ".join(said) or None,
                metadata={
                    "days": span_of(days),
                    "days_to_measure_again": dg.MetadataValue.json(changed),
                    "messages_fewer": dg.MetadataValue.json(fewer),
                },
            )

        return check

    @dg.asset_check(asset=DAILY_QUERY_STATS)
    def messages_not_in_future(application: ApplicationDatabaseResource) -> dg.AssetCheckResult:
        """No message bears a time that is yet to come: its day was measured without it."""
        from twd_analytics.messages.reading import MessageLog

        with explained_failures():
            log = MessageLog(application.database, settings.timezone)
            count, last = log.times_after(datetime.now(UTC) + _CLOCK_TOLERANCE)
        return dg.AssetCheckResult(
            passed=count == 0,
            severity=dg.AssetCheckSeverity.WARN,
            description=_IN_FUTURE.format(last=last) if count else None,
            metadata={"messages_in_future": count},
        )

    @dg.asset_check(asset=SQL_ACCURACY_REPORT)
    def error_rate_in_bounds(
        context: dg.AssetCheckExecutionContext, metadata_store: MetadataStoreResource
    ) -> dg.AssetCheckResult:
        """At most 30 % of a day's generated SQL did not run; days with little SQL pass."""
        from twd_analytics.accuracy.store import AccuracyStore

        beyond: dict[str, float] = {}
        with explained_failures():
            store = AccuracyStore(metadata_store.database)
            days = days_of(keys_of(context))
            for day in days:
                for rates in store.rates(day, 1):
                    share = 1 - rates.executed / max(rates.generated, 1)
                    if rates.generated >= _FEWEST_TO_JUDGE and share > _MOST_FAILING_SHARE:
                        beyond[day.isoformat()] = round(share, 3)
        return dg.AssetCheckResult(
            passed=not beyond,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "days": span_of(days),
                "error_rates_out_of_bounds": dg.MetadataValue.json(beyond),
            },
        )

    return [
        daily_query_stats_agree_with_source,
        up_to_date(DAILY_QUERY_STATS, "usage"),
        up_to_date(SQL_ACCURACY_REPORT, "accuracy"),
        messages_not_in_future,
        error_rate_in_bounds,
    ]
