"""The settings of a comparison: every default, and every range, written once."""

from dataclasses import dataclass
from typing import Literal

from fitreel.checks.text import check_metric
from fitreel.settings.base import Settings, setting
from fitreel.settings.experiment import Switch
from fitreel.settings.metrics import TEST_RMSE

MOST_RUNS = 60  # in a comparison

Align = Literal["epoch", "share"]


@dataclass(frozen=True)
class ComparisonSettings(Settings):
    """Which runs of an experiment to compare."""

    best: int = setting(6, "How many runs, the best by the metric.", least=2, most=MOST_RUNS)
    metric: str = setting(TEST_RMSE, "Metric that decides which run is best.")
    align: Align = setting(
        "epoch", "What puts the films in step: the epoch, or the share of each run's training."
    )
    with_trials: Switch = setting("off", "Look at the trials of sweeps as well.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_metric(self.metric)
