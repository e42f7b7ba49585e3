"""Measure the rows, print them, and write docs/benchmarks.md if all rows were measured."""

import contextlib
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.limit import NoCompilerError
from benchmarks.page import HEADER, PAGE, line, page
from benchmarks.results import MEASURED, Result, load, measured_here, merged, save, summarise
from benchmarks.rows import FILM, ROWS, Row
from benchmarks.timing import alternate


def measure(row: Row, pairs: int) -> Result:
    """Measure a row in a temporary directory; raise NoCompilerError if a compiler is missing."""
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        here, there = Path(directory, "ours"), Path(directory, "theirs")
        here.mkdir()
        there.mkdir()
        times = alternate(*row.prepare(here, there), pairs)
        films = (here / FILM, there / FILM)
        sizes = (films[0].stat().st_size, films[1].stat().st_size) if row.writes_film else None
        return summarise(row, times, sizes, row.aside() if row.aside else "")


def select(names: list[str]) -> dict[str, Row]:
    """Return the rows with these names, or all; the prefix gif selects gif-naive and so on."""
    chosen: dict[str, Row] = {}
    for name in names or ROWS:
        found = {key: row for key, row in ROWS.items() if f"{key}-".startswith(f"{name}-")}
        if not found:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(ROWS)}")
        chosen |= found
    return chosen


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="The rows to measure; all by default.")
    ] = None,
    pairs: Annotated[
        int, typer.Option(help="Measurements of each side; 0: the row's own number.", min=0)
    ] = 0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Write the page with the last results of other rows.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--page", help="Only write the page again, from the last results.")
    ] = False,
) -> None:
    """Compare fitreel with what most people would write."""
    if write:
        PAGE.write_text(page(load()), encoding="utf-8")
        return
    rows, results, left_out = select(names or []), dict[str, Result](), dict[str, str]()
    print(HEADER)
    for name, row in rows.items():
        try:
            results[name] = measure(row, pairs or row.pairs)
        except NoCompilerError as error:
            left_out[name] = str(error)
            print(f"\n{name} is left out: {error}\n", flush=True)
            continue
        print(line(name, row, results[name]), flush=True)
        if results[name].aside:
            print(f"\n{results[name].aside}\n", flush=True)
    if keep or rows.keys() == ROWS.keys():
        measured = measured_here(results, left_out)
        if keep:
            measured = merged(load(), measured)
        save(measured, MEASURED)
        PAGE.write_text(page(measured), encoding="utf-8")
        print(f"\nwritten to docs/{PAGE.name}")


if __name__ == "__main__":
    typer.run(main)
