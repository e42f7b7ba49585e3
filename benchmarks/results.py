"""The results: what was measured for every row, and the file that stores it."""

import json
import os
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.rows import ROWS, Row
from benchmarks.timing import Times

MEASURED = Path(__file__).with_name("measured.json")
PACKAGES = ("torch", "mlflow", "matplotlib", "imageio", "pillow", "optuna", "ray")
Verdict = Literal["met", "missed", "unclear"]


@dataclass(frozen=True)
class Result:
    """What was measured for a row: the ratio of the pairs, in the direction of its goal."""

    ratio: float
    low: float  # quartiles of the pairs
    high: float
    medians: tuple[float, float]  # seconds, ours and theirs
    pairs: int
    sizes: tuple[int, int] | None = None  # bytes of the films
    aside: str = ""


def summarise(
    row: Row, times: Times, sizes: tuple[int, int] | None = None, aside: str = ""
) -> Result:
    """Return median and quartiles of the ratios of the pairs: theirs / ours if ``row.faster``."""
    ours, theirs = np.array(times.ours), np.array(times.theirs)
    ratios = theirs / ours if row.faster else ours / theirs
    low, ratio, high = np.percentile(ratios, [25, 50, 75]).tolist()
    return Result(ratio, low, high, times.medians, len(ratios), sizes, aside)


def verdict(row: Row, result: Result) -> Verdict:
    """Return whether the median meets the goal; "unclear" if a quartile contradicts it."""
    ratios = (result.low, result.ratio, result.high)
    fits = {each >= row.goal if row.faster else each <= row.goal for each in ratios}
    if result.sizes and result.sizes[0] >= result.sizes[1]:
        return "missed"
    if len(fits) == 2:
        return "unclear"
    return "met" if fits == {True} else "missed"


@dataclass(frozen=True)
class Measured:
    """The results of all rows, when and on which machine they were measured."""

    when: str
    machine: str
    results: dict[str, Result]
    left_out: dict[str, str] = field(default_factory=dict)  # the reason why a row was not measured


def measured_here(results: dict[str, Result], left_out: dict[str, str]) -> Measured:
    """Return the results with today's date and a description of this machine."""
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    python = platform.python_version()
    machine = f"{processor()}, {os.cpu_count()} cores; Python {python};\n{packages}"
    return Measured(str(date.today()), machine, results, left_out)


def merged(before: Measured, now: Measured) -> Measured:
    """Return the results of now, and those of other rows from before, in the order of the rows.

    Raises ValueError if they were measured on different machines or with different packages.
    """
    if before.machine != now.machine:
        raise ValueError(f"the last results are of another machine: {before.machine}")
    results, left_out = before.results | now.results, before.left_out | now.left_out
    return Measured(
        now.when,
        now.machine,
        {name: results[name] for name in ROWS if name in results and name not in now.left_out},
        {name: why for name, why in left_out.items() if name not in now.results},
    )


def processor() -> str:
    """Return the model of the processor as the system names it."""
    with suppress(OSError):
        for entry in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = entry.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def save(measured: Measured, path: Path = MEASURED) -> None:
    """Write the results as JSON."""
    path.write_text(json.dumps(asdict(measured), indent=2) + "\n", encoding="utf-8")


def load(path: Path = MEASURED) -> Measured:
    """Read the results; ignore rows that no longer exist."""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    results = {
        name: Result(**{**each, "medians": tuple(each["medians"]), "sizes": _pair(each["sizes"])})
        for name, each in stored["results"].items()
        if name in ROWS
    }
    return Measured(stored["when"], stored["machine"], results, stored["left_out"])


def _pair(sizes: list[int] | None) -> tuple[int, int] | None:
    return (sizes[0], sizes[1]) if sizes else None
