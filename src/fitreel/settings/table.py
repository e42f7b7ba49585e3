"""The settings of a table: every default, and every range, written once."""

from dataclasses import dataclass
from typing import Literal

from fitreel.settings.base import Settings, setting

TaskChoice = Literal["auto", "regression", "classification"]
MissingName = Literal["refuse", "drop", "mean", "median"]


@dataclass(frozen=True)
class TableSettings(Settings):
    """Which table to learn from, which of its columns, and which rows are held out."""

    data: str = setting("", "CSV, TSV or Parquet file, path or URI; - reads standard input.")
    target: str = setting("", "Column to predict.")
    features: str = setting("", "Columns to predict from, a comma between them; default: all.")
    task: TaskChoice = setting("auto", "What to learn; auto looks at the target.")
    missing: MissingName = setting("refuse", "What to do with missing values.")
    test_size: float = setting(0.2, "Share of the rows held out for the test.", least=0, most=0.9)
    test: str = setting("", "File of the test rows; no others are held out then.")
    validation_size: float = setting(
        0.0, "Share of the other rows held out for early stopping.", least=0, most=0.9
    )
    group: str = setting("", "Column: rows with the same value are held out together.")
    time: str = setting("", "Column: the latest rows are held out.")
    keep_data_mb: float = setting(
        100.0, "A larger file is not copied into the run; its address is kept.", least=0, most=1e6
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data and not self.target:
            raise ValueError("own data needs a target: --target COLUMN")
        if not self.data and self != TableSettings():
            raise ValueError("these options are for own data: --data FILE")
        if self.group and self.time:
            raise ValueError("rows are held out by --group or by --time, not by both")

    def __bool__(self) -> bool:
        """Whether there is a table; without one, points are drawn."""
        return bool(self.data)
