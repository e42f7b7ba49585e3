"""Measure the rows, print them, and write docs/benchmarks.md once all were measured."""

import contextlib
import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.rows import FILM, ROWS, Row
from benchmarks.timing import Times, alternate

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
PACKAGES = ("torch", "mlflow", "matplotlib", "imageio", "pillow")
HEADER = """\
| | what | against | goal | ratio of medians (min–max of the pairs) | \
median seconds, ours and theirs | file, ours and theirs | |
|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Result:
    """Hold what was measured for a row."""

    row: Row
    times: Times
    sizes: tuple[int, int] | None  # bytes of the films

    def ratio(self, ours: float, theirs: float) -> float:
        return theirs / ours if self.row.faster else ours / theirs

    @property
    def met(self) -> bool:
        ratio = self.ratio(*self.times.medians)
        fast = ratio >= self.row.goal if self.row.faster else ratio <= self.row.goal
        return fast and (self.sizes is None or self.sizes[0] < self.sizes[1])


def measure(row: Row, pairs: int) -> Result:
    """Measure a row in a temporary directory."""
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        here, there = Path(directory, "ours"), Path(directory, "theirs")
        here.mkdir()
        there.mkdir()
        times = alternate(*row.prepare(here, there), pairs)
        films = (here / FILM, there / FILM)
        sizes = (films[0].stat().st_size, films[1].stat().st_size) if row.writes_film else None
    return Result(row, times, sizes)


def line(name: str, result: Result) -> str:
    """Write a result as a line of the table."""
    row, times = result.row, result.times
    goal = f"at least {row.goal:g} × as fast" if row.faster else f"at most {row.goal:g} × its time"
    ratios = [result.ratio(*pair) for pair in zip(times.ours, times.theirs, strict=True)]
    cells = [
        name,
        row.what,
        row.against,
        f"{goal}, smaller file" if row.writes_film else goal,
        f"**{result.ratio(*times.medians):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})",
        " / ".join(f"{median:.3g}" for median in times.medians),
        " / ".join(f"{size / 1000:.0f} kB" for size in result.sizes or ()),
        "met" if result.met else "missed",
    ]
    return f"| {' | '.join(cells)} |"


def page(results: Mapping[str, Result], pairs: int) -> str:
    """Write docs/benchmarks.md."""
    lines = "\n".join(line(*item) for item in results.items())
    compared = "\n".join(f"- **{name}**: {each.row.compared}" for name, each in results.items())
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"""\
# Benchmarks

Measured on {date.today()} by `make bench`, which writes this page.

{HEADER}
{lines}

The ratio of a goal "at least" is their time by ours, of a goal "at most" ours by theirs. Both
sides take turns, {pairs} times each after one time that does not count; the ratio is that of their
medians. "met" and "missed" are what this measurement says.

## What is compared

{compared}

Every process starts in a temporary directory of its side, with MLflow's default store there:
`mlflow.db`, which the uncounted first time makes.

## The machine

{processor()}, {os.cpu_count()} cores; Python {platform.python_version()};
{packages}.

## Again

    make bench                                           # everything, and this page anew
    .venv/bin/python -m benchmarks gif training          # only these rows, only printed
    .venv/bin/python -m benchmarks training --pairs 20   # more pairs
"""


def processor() -> str:
    """Give the processor's model as the system names it."""
    with contextlib.suppress(OSError):
        for entry in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = entry.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def select(names: list[str]) -> dict[str, Row]:
    """Give the rows of these names, all if there are none; gif stands for gif-naive and so on."""
    chosen: dict[str, Row] = {}
    for name in names or ROWS:
        found = {key: row for key, row in ROWS.items() if f"{key}-".startswith(f"{name}-")}
        if not found:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(ROWS)}")
        chosen |= found
    return chosen


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Rows; all if none is named.")] = None,
    pairs: Annotated[int, typer.Option(help="Measurements of each side.", min=1)] = 5,
) -> None:
    """Measure fitreel beside what most people would write."""
    rows, results = select(names or []), {}
    print(HEADER)
    for name, row in rows.items():
        results[name] = measure(row, pairs)
        print(line(name, results[name]), flush=True)
    if results.keys() == ROWS.keys():
        PAGE.write_text(page(results, pairs), encoding="utf-8")
        print(f"\nwritten to docs/{PAGE.name}")


if __name__ == "__main__":
    typer.run(main)
