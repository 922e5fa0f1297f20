"""The job of the training location: all of a connection's training in one run."""

import dagster as dg

from twd_shared.alerting import failure_alert_hook, success_log_hook
from twd_shared.contract import TRAINED_MODEL
from twd_shared.settings import Settings
from twd_training.defs.assets import MODEL_EVALUATION_KEY, TRAINING_EXAMPLES_KEY

ALL_OF_A_TRAINING = (TRAINING_EXAMPLES_KEY, TRAINED_MODEL.key, MODEL_EVALUATION_KEY)


def training_job(settings: Settings) -> "dg.UnresolvedAssetJobDefinition":
    """The asset job `training_job`."""
    return dg.define_asset_job(
        "training_job",
        selection=dg.AssetSelection.assets(*ALL_OF_A_TRAINING),
        hooks={success_log_hook(), failure_alert_hook(settings.ui_url)},
        description="Collects the examples of a source, publishes its knowledge base, scores it.",
    )
