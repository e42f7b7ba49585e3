"""The results: all trials of a sweep as plain data, the best first; trials.csv."""

import csv
import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from fitreel.settings import SweepSettings
from fitreel.settings.metrics import higher_is_better, measured
from fitreel.sweep.trials import Outcome, Trial
from fitreel.training.members import End


@dataclass(frozen=True, eq=False)
class Results:
    """All trials and their outcomes, in the order of their numbers."""

    settings: SweepSettings
    trials: Sequence[Trial]
    outcomes: Sequence[Outcome]
    importances: Mapping[str, float] = field(default_factory=dict)  # by setting; the sum is 1
    noise_floor: float | None = None  # the least test_rmse, if it is known

    @property
    def pictures(self) -> tuple[str, ...]:
        """The names of the files that ``draw_search`` draws."""
        importance = ("importance.png",) if self.importances else ()
        return ("history.png", *importance, "settings.png", "parallel.png")

    @property
    def names(self) -> list[str]:
        """The names of the settings that vary."""
        return [each.name for each in self.settings.dimensions]

    def values(self, number: int) -> dict[str, Any]:
        """Return the values of a trial by the names of the settings that vary."""
        settings = self.trials[number].settings
        return {name: getattr(settings, name) for name in self.names}

    def score(self, number: int) -> float:
        """Return the metric by which trials are ranked; NaN for a trial that did not finish."""
        outcome = self.outcomes[number]
        # A pruned trial has metrics, too, but of a training that was cut short.
        finished = outcome.end == "finished"
        return measured(outcome.metrics, self.settings.metric) if finished else math.nan

    def best(self, count: int) -> list[int]:
        """Return the numbers of the best finished trials, the best first."""
        sign = -1 if higher_is_better(self.settings.metric) else 1
        scored = [
            (sign * score, number)
            for number in range(len(self.outcomes))
            if not math.isnan(score := self.score(number))
        ]
        # Of equal scores the earlier trial is better.
        return [number for _, number in heapq.nsmallest(count, scored)]

    @property
    def ends(self) -> dict[End, int]:
        """The number of trials by how they ended."""
        counts = Counter(outcome.end for outcome in self.outcomes)
        return {end: counts[end] for end in get_args(End)}

    @property
    def summary(self) -> str:
        """One line: how many trials, and how they ended."""
        ends = ", ".join(f"{count} {end}" for end, count in self.ends.items())
        return f"{len(self.trials)} trials: {ends}"


def save_trials(results: Results, path: Path) -> None:
    """Write a row for each trial: number, run, end, epochs, values, metrics."""
    metrics = list(dict.fromkeys(name for each in results.outcomes for name in each.metrics))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["trial", "run", "end", "epochs", *results.names, "loss", *metrics])
        for trial, outcome in zip(results.trials, results.outcomes, strict=True):
            loss = f"{outcome.curve[-1]:.9g}" if len(outcome.curve) else ""
            writer.writerow(
                [
                    trial.number,
                    trial.name,
                    outcome.end,
                    outcome.epochs,
                    *results.values(trial.number).values(),
                    loss,
                    *(outcome.metrics.get(name, "") for name in metrics),
                ]
            )
