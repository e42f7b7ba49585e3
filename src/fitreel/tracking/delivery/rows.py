"""The rows of a finished run in MLflow's tables."""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping

from mlflow.entities import LifecycleStage, Metric

from fitreel.tracking.delivery.finished_run import FinishedRun

USER_TAG = "mlflow.user"  # which MLflow documents
Row = dict[str, object]


def run_row(run: FinishedRun) -> Row:
    """Return the row of the run itself, without its place."""
    return {
        "run_uuid": run.run_id,
        "name": run.name,
        "source_type": "UNKNOWN",  # as MLflow's client leaves these: tags took their place
        "source_name": "",
        "entry_point_name": "",
        "user_id": run.tags.get(USER_TAG, "unknown"),
        "status": run.status,
        "start_time": run.start,
        "end_time": run.end,
        "deleted_time": None,
        "source_version": "",
        "lifecycle_stage": LifecycleStage.ACTIVE,
    }


def texts(run: FinishedRun, texts: Mapping[str, str]) -> Iterator[Row]:
    """Yield the rows of a run's params or tags."""
    for key, value in texts.items():
        yield {"run_uuid": run.run_id, "key": key, "value": value}


def points(run: FinishedRun, metrics: Iterable[Metric]) -> Iterator[Row]:
    """Yield the rows of points; of the numbers that SQL lacks the nearest is written."""
    for metric in metrics:
        is_nan, largest = math.isnan(metric.value), sys.float_info.max
        yield {
            "run_uuid": run.run_id,
            "key": metric.key,
            "value": 0 if is_nan else min(max(metric.value, -largest), largest),
            "timestamp": metric.timestamp,
            "step": metric.step,
            "is_nan": is_nan,
        }


def latest(run: FinishedRun) -> list[Metric]:
    """Return the last point of every metric."""
    last: dict[str, Metric] = {}
    for metric in run.metrics:
        known = last.get(metric.key)
        # By step, then by time, as MLflow decides it.
        if known is None or (metric.step, metric.timestamp) > (known.step, known.timestamp):
            last[metric.key] = metric
    return list(last.values())
