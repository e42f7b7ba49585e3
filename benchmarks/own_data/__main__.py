"""Compare our network with scikit-learn's on tables: python -m benchmarks.own_data."""

from typing import Annotated

import typer

from benchmarks.own_data.page import PAGE, page
from benchmarks.own_data.results import Result, load, save
from benchmarks.own_data.sides import SIDES, read_split
from benchmarks.own_data.tables import TABLES


def measure(name: str, sides: list[str], known: Result | None = None) -> Result:
    """Train some sides on all splits of a table; other sides keep what is known of them."""
    table = TABLES[name]()
    splits = [read_split(*split, table.has_classes) for split in table.splits()]
    first = splits[0]
    result = Result(len(table.frame), len(first.features), len(first.classes))
    if known:
        result.errors, result.seconds = known.errors, known.seconds
    for side in sides:
        result.add(side, [SIDES[side](dataset) for dataset in splits])
        mean, deviation = result.error(side)
        print(f"{name}, {side}: {mean:.4g} ± {deviation:.2g}", flush=True)
    return result


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="The tables to measure; all by default.")
    ] = None,
    side: Annotated[
        list[str] | None, typer.Option(help="The sides to measure; all by default.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--page", help="Only write the page again, from the last results.")
    ] = False,
) -> None:
    """Train every side on ten splits of every table, and write docs/own-data-benchmarks.md."""
    results = load().results
    for name in [] if write else names or TABLES:
        results[name] = measure(name, side or list(SIDES), results.get(name))
        save({each: results[each] for each in TABLES if each in results})
    PAGE.write_text(page(load()), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
