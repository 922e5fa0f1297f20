"""The sensor that empties the outbox of alerts into the webhook, for all code locations."""

import dagster as dg

from twd_shared.errors import TwdError
from twd_shared.resources.stores import MetadataStoreResource

_INTERVAL_SECONDS = 30


def alert_delivery_sensor() -> dg.SensorDefinition:
    """The sensor that sends what waits; it depends on nothing but the metadata database."""

    @dg.sensor(
        name="alert_delivery_sensor",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Sends the alerts that wait in twd.alerts to the webhook, oldest first. What the "
            "webhook does not take now is sent again, with waits."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, metadata_store: MetadataStoreResource
    ) -> dg.SkipReason:
        try:
            done = metadata_store.alert_delivery.deliver()
        except TwdError as error:
            return dg.SkipReason(str(error))
        for error in done.errors:
            context.log.warning(error)
        where = "" if metadata_store.webhook_url else " No webhook is set: they are only kept."
        return dg.SkipReason(f"{done.delivered} alerts delivered, {done.waiting} wait.{where}")

    return sensor
