"""The results: errors and seconds of each side on each split, and the file that has them."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.own_data.sides import Outcome
from benchmarks.results import processor

MEASURED = Path(__file__).with_name("measured.json")
PACKAGES = ("torch", "scikit-learn", "optuna")
GOAL = 1.02  # times the better of scikit-learn's network and ours tuned


@dataclass
class Result:
    """What was measured on a table: a number for each split."""

    rows: int
    features: int
    classes: int
    errors: dict[str, list[float]] = field(default_factory=dict)  # by side
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, side: str, outcomes: list[Outcome]) -> None:
        """Store the outcomes of a side, in place of older ones."""
        self.errors[side] = [each.error for each in outcomes]
        self.seconds[side] = [each.seconds for each in outcomes]

    def error(self, side: str) -> tuple[float, float]:
        """Return the mean error of a side and its standard error."""
        errors = np.array(self.errors[side])
        return float(errors.mean()), float(errors.std(ddof=1) / len(errors) ** 0.5)

    @property
    def ratio(self) -> float:
        """Our error by the better of scikit-learn's network and ours tuned."""
        best = min(self.error(side)[0] for side in ("theirs", "tuned") if side in self.errors)
        return self.error("ours")[0] / best


@dataclass(frozen=True)
class Loading:
    """What loading a large file took."""

    side: str  # ours, pandas
    suffix: str  # of the file
    size: int  # bytes of the file
    seconds: float
    peak: float  # bytes of memory more than before


@dataclass
class Measured:
    """The results of all tables, when and on which machine they were measured."""

    when: str
    machine: str
    results: dict[str, Result]
    loading: list[Loading] = field(default_factory=list)


def machine() -> str:
    """Describe this machine."""
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    return (
        f"{processor()}, {threads} of {os.cpu_count()} cores used;\n"
        f"Python {platform.python_version()}, {packages}"
    )


def save(results: dict[str, Result], path: Path = MEASURED) -> None:
    """Write the results as JSON, with today's date and this machine."""
    _write(Measured(str(date.today()), machine(), results, load(path).loading), path)


def save_loading(loading: list[Loading], path: Path = MEASURED) -> None:
    """Write what loading took; the results keep their date and machine."""
    measured = load(path)
    measured.loading = loading
    _write(measured, path)


def _write(measured: Measured, path: Path) -> None:
    path.write_text(json.dumps(asdict(measured), indent=1) + "\n", encoding="utf-8")


def load(path: Path = MEASURED) -> Measured:
    """Read the results; none if nothing was measured yet."""
    if not path.exists():
        return Measured("", "", {})
    stored = json.loads(path.read_text(encoding="utf-8"))
    results = {name: Result(**each) for name, each in stored["results"].items()}
    loading = [Loading(**each) for each in stored.get("loading", [])]
    return Measured(stored["when"], stored["machine"], results, loading)
