"""The settings of a table: every default, and every range, written once."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

from fitreel.settings.base import Settings, setting
from fitreel.settings.experiment import DataSettings, TrainingSettings
from fitreel.settings.metrics import VALIDATION_ERROR
from fitreel.settings.sweep import SweepSettings

MOST_FEATURES = 5000  # after categories became features
MOST_CLASSES = 100
# The defaults of a training on a table, where those of points are the tutorial's.
# Chosen on eight tables that packages ship: docs/own-data-benchmarks.md.
TABLE_TRAINING: dict[str, Any] = {
    "hidden": 50,
    "optimizer": "adam",
    "lr": 0.01,
    "weight_decay": 0.002,
    "patience_epochs": 50,
}
TaskChoice = Literal["auto", "regression", "classification"]
MissingName = Literal["refuse", "drop", "mean", "median"]


@dataclass(frozen=True)
class TableSettings(Settings):
    """Which table to learn from, which of its columns, and which rows are held out."""

    data: str = setting("", "CSV, TSV or Parquet file, path or URI; - reads standard input.")
    target: str = setting("", "Column to predict.")
    features: str = setting(
        "", "Columns to predict from, a comma between them; default: all.", added=True
    )
    task: TaskChoice = setting("auto", "What to learn; auto looks at the target.")
    missing: MissingName = setting("refuse", "What to do with missing values.")
    test_size: float = setting(0.2, "Share of the rows held out for the test.", least=0, most=0.9)
    test: str = setting("", "File of the test rows; no others are held out then.", added=True)
    validation_size: float = setting(
        0.15, "Share of the other rows held out for early stopping.", least=0, most=0.9
    )
    group: str = setting("", "Column: rows with the same value are held out together.", added=True)
    time: str = setting("", "Column: the latest rows are held out.", added=True)
    keep_data_mb: float = setting(
        100.0, "A larger file is not copied into the run; its address is kept.", least=0, most=1e6
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data and not self.target:
            raise ValueError("own data needs a target: --target COLUMN")
        # Not by comparing with TableSettings(), which would call this again.
        if not self.data and any(getattr(self, each.name) != each.default for each in fields(self)):
            raise ValueError("these options are for own data: --data FILE")
        if self.group and self.time:
            raise ValueError("rows are held out by --group or by --time, not by both")

    def unset(self) -> list[str]:
        """Return the names of the settings that are empty, which say nothing about a run."""
        return [each.name for each in fields(self) if getattr(self, each.name) == ""]

    @property
    def label(self) -> str:
        """The name of the table in a list of runs: that of its file, without its suffixes."""
        name = PurePosixPath(urlsplit(self.data).path.replace("\\", "/")).name
        return name.split(".")[0].strip("-") or "table"

    def __bool__(self) -> bool:
        """Whether there is a table; without one, points are drawn."""
        return bool(self.data)


def table_training(*, has_validation: bool) -> TrainingSettings:
    """Return how to train on a table; without validation rows for all epochs."""
    training = TrainingSettings(**TABLE_TRAINING)
    return training if has_validation else replace(training, patience_epochs=0)


def for_table(
    training: TrainingSettings, table: TableSettings, given: Collection[str]
) -> TrainingSettings:
    """Return a training with the defaults for tables where a setting was not ``given`` by name."""
    defaults = table_training(has_validation=table.validation_size > 0)
    names = TABLE_TRAINING.keys() - given
    return replace(training, **{name: getattr(defaults, name) for name in names})


def sweep_for_table(
    sweep: SweepSettings, table: TableSettings, given: Collection[str]
) -> SweepSettings:
    """Return a sweep that chooses the best trial by validation rows or folds, not by test rows.

    Raises ValueError if another metric is ``given``, or if there are no such rows.
    """
    if "metric" in given and sweep.metric != VALIDATION_ERROR:
        raise ValueError(
            f"a sweep of a table ranks trials by {VALIDATION_ERROR}, so that test rows choose "
            f"nothing; got {sweep.metric}"
        )
    if sweep.cv and (table.group or table.time):
        raise ValueError(
            "cv deals out single rows: leave out group and time, or use validation_size"
        )
    if not sweep.cv and not table.validation_size:
        raise ValueError("a sweep of a table needs rows to choose by: validation_size or cv")
    return replace(sweep, metric="validation_error")


def check_not_of_table(sweep: SweepSettings) -> None:
    """Raise ValueError if a sweep on drawn points asks for what only tables have."""
    if sweep.cv or sweep.metric == VALIDATION_ERROR:
        raise ValueError(f"cv and {VALIDATION_ERROR} are for tables; points have fresh test points")


def check_not_drawn(data: DataSettings) -> None:
    """Raise ValueError if settings say how to draw points, which a table replaces."""
    if data != DataSettings(data_seed=data.data_seed):
        raise ValueError(
            "a table has rows of its own: samples, function, noise, x_min and x_max draw points"
        )
