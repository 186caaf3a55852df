"""How everything fares, as Prometheus reads it.

prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Callable, Iterator

from pipeline.aws.kcl.condition import DaemonState, Overview, WorkerHealth
from pipeline.aws.kcl.health import ShardHealth

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_OF_WORKERS: dict[str, Callable[[WorkerHealth], float]] = {
    "mailfold_consumer_up gauge": lambda worker: worker.state is DaemonState.RUNNING,
    "mailfold_consumer_restarts_total counter": lambda worker: worker.restarts,
}
_OF_SHARDS: dict[str, Callable[[ShardHealth], float | None]] = {
    "mailfold_consumer_lag_milliseconds gauge": lambda shard: shard.millis_behind_latest,
    "mailfold_consumer_checkpoint_timestamp_seconds gauge": lambda shard: (
        shard.checkpointed_at.timestamp() if shard.checkpointed_at else None
    ),
    "mailfold_consumer_records_total counter": lambda shard: shard.records,
    "mailfold_consumer_poison_total counter": lambda shard: shard.poison,
    "mailfold_consumer_errors_total counter": lambda shard: shard.errors,
}


def exposition(overview: Overview) -> str:
    """Return it as text: a metric for each worker, and one for each shard that it still has."""
    return "".join(f"{line}\n" for line in _lines(overview))


def _lines(overview: Overview) -> Iterator[str]:
    for metric, of_worker in _OF_WORKERS.items():
        yield f"# TYPE {metric}"
        for worker in overview.workers:
            yield f'{metric.split()[0]}{{worker="{worker.worker}"}} {float(of_worker(worker))}'
    for metric, of_shard in _OF_SHARDS.items():
        yield f"# TYPE {metric}"
        for worker in overview.workers:
            for shard in worker.shards:
                value = None if shard.state.has_ended else of_shard(shard)
                if value is not None:
                    yield f'{metric.split()[0]}{{worker="{worker.worker}",shard="{shard.shard}"}} {float(value)}'
