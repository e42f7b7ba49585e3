"""The trial of a sweep as a finished run, with all its values."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mlflow.entities import Metric

from fitreel.sweep.trials import Outcome, curve_steps

ROWS = 9000  # points in memory at once, and rows in a transaction: 64 trials of a hundred points


@dataclass(frozen=True)
class FinishedRun:
    """A nested run: its trial, its times in milliseconds since 1970, its values."""

    run_id: str  # where it may be chosen: a server chooses its own
    number: int  # of its trial
    name: str
    status: str
    start: int
    end: int
    params: Mapping[str, str]
    metrics: Iterable[Metric]  # created when they are asked for: long curves have millions
    tags: Mapping[str, str]


def run_id(parent_id: str, number: int) -> str:
    """Return the id of a nested run: the same whenever its trial is delivered."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{parent_id}/{number}").hex


@dataclass(frozen=True)
class Points:
    """The points of a trial's curve and its metrics, the last first, created when asked for.

    MLflow compares each point with the latest of its key: with the last one first, it never has to
    replace that.
    """

    outcome: Outcome

    def __iter__(self) -> Iterator[Metric]:
        start, end = self.outcome.times
        steps = curve_steps(self.outcome.epochs, self.outcome.log_every)[::-1]
        span = (end - start) / max(1, self.outcome.epochs)
        losses = self.outcome.curve[::-1]
        for first in range(0, len(steps), ROWS):
            part = slice(first, first + ROWS)  # lists of numbers take ten times the memory
            for epoch, loss in zip(steps[part].tolist(), losses[part].tolist(), strict=True):
                yield Metric("loss", loss, start + round(span * epoch), epoch)
        for key, value in self.outcome.metrics.items():
            yield Metric(key, value, end, 0)
