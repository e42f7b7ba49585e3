"""The page: docs/benchmarks.md, generated from the rows and their results."""

from pathlib import Path

from benchmarks.results import Measured, Result, verdict
from benchmarks.rows import ROWS, Row

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEADER = """\
| | what | against | goal | ratio (quartiles of the pairs) | \
median seconds, ours and theirs | file, ours and theirs | |
|---|---|---|---|---|---|---|---|"""


def line(name: str, row: Row, result: Result) -> str:
    """Return the line of the table for a result."""
    goal = f"at least {row.goal:g} × as fast" if row.faster else f"at most {row.goal:g} × its time"
    spread = f"{result.low:.2f}–{result.high:.2f}"
    cells = [
        name,
        row.what,
        row.against,
        f"{goal}, smaller file" if row.writes_film else goal,
        f"**{result.ratio:.2f}** ({spread})",
        " / ".join(f"{median:.3g}" for median in result.medians),
        " / ".join(f"{size / 1000:.0f} kB" for size in result.sizes or ()),
        verdict(row, result),
    ]
    return f"| {' | '.join(cells)} |"


def page(measured: Measured) -> str:
    """Return the text of docs/benchmarks.md."""
    results = measured.results
    lines = "\n".join(line(name, ROWS[name], each) for name, each in results.items())
    notes = "".join(f"- **{name}**: {ROWS[name].note}\n" for name in results if ROWS[name].note)
    compared = "\n".join(
        f"- **{name}**: {ROWS[name].compared} {each.aside}".rstrip()
        for name, each in results.items()
    )
    missing = "".join(
        f"\n- **{name}**: left out here; {why}." for name, why in measured.left_out.items()
    )
    return f"""\
# Benchmarks

Measured on {measured.when} by `make bench`, which writes this page from
[what it measured](../benchmarks/measured.json) and [the rows](../benchmarks/rows.py).

{HEADER}
{lines}

The ratio of a goal "at least" is their time by ours, of a goal "at most" ours by theirs. Both
sides take turns, {turns(results)},
after one warm-up that does not count; the ratio is the median of the pairs'. A goal is "met" if the
median meets it and both quartiles do, "missed" if none of the three does, else "unclear".

{notes}
## What is compared

{compared}{missing}

Every process starts in a temporary directory of its side, with MLflow's default store there:
`mlflow.db`, which the uncounted first time makes; each sweep starts in a new one.

## The machine

{measured.machine}.

## Run the benchmarks

    make bench                                           # everything, and this page
    .venv/bin/python -m benchmarks gif training          # only these rows, only printed
    .venv/bin/python -m benchmarks training --pairs 20   # more pairs
    .venv/bin/python -m benchmarks --page                # only this page, nothing measured
"""


def turns(results: dict[str, Result]) -> str:
    """Return how often the rows were measured, as in "5 times each (sweep-growth 3)"."""
    counts = {name: each.pairs for name, each in results.items()}
    usual = max(counts.values())
    fewer = ", ".join(f"{name} {count}" for name, count in counts.items() if count < usual)
    return f"{usual} times each" + (f" ({fewer})" if fewer else "")
