"""The values of a run: a journal's losses, metrics, params and tags, logged to MLflow."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from mlflow.entities import Metric, Param, RunTag

from fitreel.journal.checkpoints import unpack
from fitreel.journal.filming import CURVE, points_of
from fitreel.journal.records import Record
from fitreel.tracking.store.client import Client

METRICS_PER_CALL = 1000  # MLflow's limit


class Stored:
    """The points that a store has of a run, read once a metric."""

    def __init__(self, client: Client, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._steps: dict[str, set[int]] = {}

    def lacks(self, point: Metric) -> bool:
        """Return whether the store has no point of this metric and step, of whatever time."""
        if point.key not in self._steps:
            history = self._client.get_metric_history(self._run_id, point.key)
            self._steps[point.key] = {each.step for each in history}
        return point.step not in self._steps[point.key]


def log_values(
    client: Client,
    run_id: str,
    records: Sequence[Record],
    lacks: Callable[[Metric], bool] | None = None,
) -> None:
    """Log records of values and losses in as few calls as MLflow allows.

    With ``lacks`` only the points that the store does not have yet: those that are computed again
    have other times, and MLflow would keep both.
    """
    params, tags, metrics = dict[str, str](), dict[str, str](), list[Metric]()
    for record in records:
        params |= record.get("params", {})
        tags |= record.get("tags", {})
        metrics.extend(METRICS_OF.get(record["kind"], _metrics)(record))
    metrics = list(filter(lacks, metrics)) if lacks else metrics
    # Metrics first: a stage's tag says that it is done, and must not be there before they are.
    for first in range(0, len(metrics), METRICS_PER_CALL):
        client.log_batch(run_id, metrics=metrics[first : first + METRICS_PER_CALL])
    if params or tags:
        client.log_batch(
            run_id,
            params=[Param(*item) for item in params.items()],
            tags=[RunTag(*item) for item in tags.items()],
        )


def _metrics(record: Record) -> Iterator[Metric]:
    for key, value in record.get("metrics", {}).items():
        yield Metric(key, value, record["time"], 0)


def curve(record: Record) -> Iterator[Metric]:
    """Yield the metrics of a record of a film's curve, their times spread as those of losses."""
    steps, values = points_of(record)
    times = np.linspace(record["start"], record["end"], len(values)).astype(int).tolist()
    for step, value, when in zip(steps.tolist(), values.tolist(), times, strict=True):
        yield Metric(record["metric"], value, when, step)


def losses(record: Record) -> Iterator[Metric]:
    """Yield the metrics of a record of losses, their times spread evenly over the record's."""
    values = unpack(record["numbers"]).tolist()
    times = np.linspace(record["start"], record["end"], len(values)).astype(int).tolist()
    for epoch, (value, when) in enumerate(zip(values, times, strict=True), start=record["first"]):
        yield Metric("loss", value, when, epoch)


METRICS_OF = {"losses": losses, CURVE: curve}
