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

from benchmarks.limit import NoCompilerError
from benchmarks.rows import FILM, ROWS, Row
from benchmarks.timing import Times, alternate

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
PACKAGES = ("torch", "mlflow", "matplotlib", "imageio", "pillow", "optuna", "ray")
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
    aside: str = ""

    def ratio(self, ours: float, theirs: float) -> float:
        return theirs / ours if self.row.faster else ours / theirs

    @property
    def met(self) -> bool:
        ratio = self.ratio(*self.times.medians)
        fast = ratio >= self.row.goal if self.row.faster else ratio <= self.row.goal
        return fast and (self.sizes is None or self.sizes[0] < self.sizes[1])


def measure(row: Row, pairs: int) -> Result:
    """Measure a row in a temporary directory; NoCompilerError where that cannot be done."""
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        here, there = Path(directory, "ours"), Path(directory, "theirs")
        here.mkdir()
        there.mkdir()
        times = alternate(*row.prepare(here, there), pairs)
        films = (here / FILM, there / FILM)
        sizes = (films[0].stat().st_size, films[1].stat().st_size) if row.writes_film else None
        return Result(row, times, sizes, row.aside() if row.aside else "")


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


def page(results: Mapping[str, Result], left_out: Mapping[str, str]) -> str:
    """Write docs/benchmarks.md; ``left_out`` says why of rows that could not be measured."""
    lines = "\n".join(line(*item) for item in results.items())
    compared = "\n".join(
        f"- **{name}**: {each.row.compared} {each.aside}".rstrip() for name, each in results.items()
    )
    missing = "".join(f"\n- **{name}**: left out here; {why}." for name, why in left_out.items())
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"""\
# Benchmarks

Measured on {date.today()} by `make bench`, which writes this page.

{HEADER}
{lines}

The ratio of a goal "at least" is their time by ours, of a goal "at most" ours by theirs. Both
sides take turns, {turns(results)}, after one time that does not count;
the ratio is that of their medians. "met" and "missed" are what this measurement says.

## What is compared

{compared}{missing}

Every process starts in a temporary directory of its side, with MLflow's default store there:
`mlflow.db`, which the uncounted first time makes; each sweep starts in a new one.

## The machine

{processor()}, {os.cpu_count()} cores; Python {platform.python_version()};
{packages}.

## Again

    make bench                                           # everything, and this page anew
    .venv/bin/python -m benchmarks gif training          # only these rows, only printed
    .venv/bin/python -m benchmarks training --pairs 20   # more pairs
"""


def turns(results: Mapping[str, Result]) -> str:
    """Say how often the rows were measured, as in 5 times each (sweep-growth 3)."""
    counts = {name: len(each.times.ours) for name, each in results.items()}
    usual = max(counts.values())
    fewer = ", ".join(f"{name} {count}" for name, count in counts.items() if count < usual)
    return f"{usual} times each" + (f" ({fewer})" if fewer else "")


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
    pairs: Annotated[
        int, typer.Option(help="Measurements of each side; 0 is what suits the row.", min=0)
    ] = 0,
) -> None:
    """Measure fitreel beside what most people would write."""
    rows, results, left_out = select(names or []), dict[str, Result](), dict[str, str]()
    print(HEADER)
    for name, row in rows.items():
        try:
            results[name] = measure(row, pairs or row.pairs)
        except NoCompilerError as error:
            left_out[name] = str(error)
            print(f"\n{name} is left out: {error}\n", flush=True)
            continue
        print(line(name, results[name]), flush=True)
        if results[name].aside:
            print(f"\n{results[name].aside}\n", flush=True)
    if rows.keys() == ROWS.keys():
        PAGE.write_text(page(results, left_out), encoding="utf-8")
        print(f"\nwritten to docs/{PAGE.name}")


if __name__ == "__main__":
    typer.run(main)
