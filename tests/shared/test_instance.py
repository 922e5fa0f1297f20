"""An instance that is prepared has its pools: the first runs of all do not race to make them."""

from pathlib import Path

import dagster as dg

from twd_shared.contract import OLLAMA_POOL
from twd_shared.instance import prepare


def test_the_pool_that_protects_ollama_is_there_before_the_first_run(tmp_path: Path) -> None:
    overrides = {"concurrency": {"default_op_concurrency_limit": 3}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
        for _ in range(2):
            prepare(instance)
        [pool] = instance.event_log_storage.get_pool_limits()
    assert (pool.name, pool.limit, pool.from_default) == (OLLAMA_POOL, 3, True)
