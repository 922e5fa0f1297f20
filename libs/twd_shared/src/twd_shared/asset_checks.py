"""Asset checks of what has a partition for each source database, with a result for each."""

import warnings

import dagster as dg

from twd_shared.contract import source_databases


def check_of_sources(
    name: str, asset: dg.AssetKey, description: str, *, blocking: bool = False
) -> dg.AssetCheckSpec:
    """A check that a run of a source makes of that source alone.

    Without partitions Dagster keeps one result for all sources, that of the run which was created
    last: it hides the failure of another source, and counts as none once a run that was created
    before has written the asset after it.
    """
    with warnings.catch_warnings():
        # `partitions_def` is called preview: each start of a server would say so.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name,
            asset=asset,
            description=description,
            blocking=blocking,
            partitions_def=source_databases,
        )
