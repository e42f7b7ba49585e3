"""The settings of a sweep: every default, and every range, written once."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fitreel.checks.text import check_path, check_uri, shown
from fitreel.settings.base import Settings, setting
from fitreel.settings.experiment import LARGEST_SEED, MOST_EPOCHS, Switch, TrainingSettings
from fitreel.settings.metrics import SQUARES
from fitreel.settings.space import Dimension, count_points, parse_space

SamplerName = Literal["random", "grid", "qmc", "tpe", "cmaes"]
EngineName = Literal["local", "ray"]
MetricName = Literal["test_rmse", "test_r2", "train_rmse", "validation_error"]
LEARNING_SAMPLERS = ("tpe", "cmaes")
PATTERNS = {
    "address": (r"auto|[\w.-]{1,255}:\d{1,5}", "auto or HOST:PORT"),
    "device": (r"[a-z]{1,20}(:\d{1,3})?", "as torch names it: cpu, cuda, cuda:1"),
}
FILMED = 9  # the best trials, which best.gif shows and whose frames are kept
CURVE_POINTS = 100  # about as many, unless --log-every says otherwise


@dataclass(frozen=True)
class SweepSettings(Settings):
    """What to try, how often, and how to choose."""

    trials: int = setting(100, "Number of trainings.", least=1, most=1_000_000)
    space: str = setting(
        "lr=log:1e-3:0.5 hidden=int:2:64",
        "What to vary, and over what: NAME=log:LOW:HIGH, NAME=int:LOW:HIGH, NAME=float:LOW:HIGH, "
        "each with :COUNT at the end for so many values, or NAME=VALUE,VALUE. "
        "Give it once for each setting, or all in one text.",
        many=True,
    )
    sampler: SamplerName = setting("random", "How to choose; tpe and cmaes learn as they go.")
    sweep_seed: int = setting(0, "Seed of the choice.", least=0, most=LARGEST_SEED)
    metric: MetricName = setting(
        "test_rmse",
        "Metric by which trials are ranked, on a table always validation_error.",
        also=SQUARES,
    )
    cv: int = setting(
        0,
        "Folds of a cross-validation of each trial on a table; 0: one validation part.",
        least=0,
        most=50,
    )
    prune: Switch = setting("off", "Drop the worse half of a round, several times while it trains.")
    log_every: int = setting(
        0,
        "Epochs between two points of a logged curve; 0 chooses about 100 points.",
        least=0,
        most=MOST_EPOCHS,
    )
    round_size: int = setting(
        0,
        "Trials of a round, which are asked for, trained and reported together; "
        "0 chooses 256, or 32 if the sampler learns.",
        least=0,
        most=100_000,
    )
    storage: str = setting(
        "optuna.log", "File or database URL that stores Optuna's study; a file is faster."
    )
    engine: EngineName = setting("local", "Where to train: in this process, or on a Ray cluster.")
    address: str = setting(
        "auto", "Address of the Ray cluster; auto finds the one of this machine."
    )
    parallel: int = setting(
        0,
        "Rounds that train at the same time on Ray; 0 is one for each processor.",
        least=0,
        most=100_000,
    )
    device: str = setting("cpu", "What to train on, as torch names it: cpu, cuda, cuda:1.")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_space()
        if self.cv == 1:
            raise ValueError("cv must be 0, or 2 folds or more; got 1")
        if self.cv and self.prune == "on":
            raise ValueError("cv and prune do not go together: leave one of them out")
        try:
            (check_uri if is_database(self.storage) else check_path)(self.storage)
        except ValueError as error:
            raise ValueError(f"storage: {error}") from None
        for name, (pattern, what) in PATTERNS.items():
            if not re.fullmatch(pattern, value := getattr(self, name), re.ASCII):
                raise ValueError(f"{name} must be {what}; got '{shown(value)}'")

    def _check_space(self) -> None:
        dimensions = self.dimensions
        if self.sampler == "grid" and (points := count_points(dimensions)) > self.trials:
            raise ValueError(
                f"space: the grid has {points:,} points, more than {self.trials:,} trials; "
                "raise --trials"
            )
        if self.sampler == "cmaes" and sum(each.is_range for each in dimensions) < 2:
            raise ValueError("space: cmaes needs two or more ranges; it draws choices at random")

    @property
    def label(self) -> str:
        """The name of the sweep's run, as in sweep-lr-hidden-random-100."""
        names = "-".join(each.name for each in self.dimensions)
        return f"sweep-{names}-{self.sampler}-{self.count}"

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The settings that vary."""
        return parse_space(self.space)

    @property
    def count(self) -> int:
        """The number of trials: a grid may have fewer points than ``trials``."""
        points = count_points(self.dimensions) if self.sampler == "grid" else self.trials
        return min(points, self.trials)

    @property
    def shortage(self) -> str | None:
        """What happens if the space has fewer points than trials; None if it has enough."""
        if any(each.is_range and each.kind is float for each in self.dimensions):
            return None
        points = count_points(self.dimensions)
        if points >= self.trials:
            return None
        what = "1 point" if points == 1 else f"{points:,} points"
        if self.sampler == "grid":
            return f"the space has {what}: {points:,} of {self.trials:,} trials are enough"
        return f"the space has {what}, fewer than {self.trials:,} trials: some are repeated"

    @property
    def learns(self) -> bool:
        """Whether the sampler chooses by the results of earlier trials."""
        return self.sampler in LEARNING_SAMPLERS

    @property
    def most_of_a_round(self) -> int:
        """The number of trials that a round may have."""
        # A sampler that learns does so between two rounds, so these are smaller.
        return self.round_size or (32 if self.learns else 256)

    def step(self, epochs: int) -> int:
        """Return the epochs between two points of the curve of a training of so many epochs."""
        return self.log_every or max(1, round(epochs / CURVE_POINTS))


def is_database(storage: str) -> bool:
    """Return whether the text has the form of a URL, with a colon in front of the first slash."""
    return ":" in storage.partition("/")[0]


def with_values(base: TrainingSettings, values: dict[str, Any]) -> TrainingSettings:
    """Return the settings that all trials share with a trial's own values."""
    return TrainingSettings(**asdict(base) | values)
