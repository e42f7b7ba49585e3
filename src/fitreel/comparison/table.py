"""The table: a comparison as GitHub Markdown, for compare.md."""

from collections.abc import Sequence

from fitreel.checks.text import code_span
from fitreel.comparison.runs import PARAMS, Comparison
from fitreel.comparison.summary import (
    ALIKE,
    RUN,
    SEEDS,
    Table,
    groups_table,
    more_params,
    runs_table,
)
from fitreel.settings.metrics import METRICS, RETIRED

OURS = frozenset((RUN, ALIKE, SEEDS, "param", "value", *PARAMS, *METRICS, *RETIRED))  # plain words
MOST_PARAMS = 20  # columns; foreign runs may differ in hundreds


def comparison_table(comparison: Comparison) -> str:
    """Return the runs, the means over their seeds and what is equal, in Markdown."""
    parts = [_runs(comparison)]
    if comparison.groups:
        parts.append("Mean and half the width of its 95 % interval (Student's t) over the seeds:")
        parts.append(_markdown(groups_table(comparison)))
    if comparison.equal:
        rows = tuple(comparison.equal.items())
        parts.append(f"<details><summary>{len(rows)} params are equal</summary>")
        parts.append(_markdown(Table(("param", "value"), rows, frozenset(), 2)))
        parts.append("</details>")
    return "\n\n".join(parts) + "\n"


def _runs(comparison: Comparison) -> str:
    text = _markdown(runs_table(comparison, MOST_PARAMS))
    more = more_params(comparison, MOST_PARAMS)
    return f"{text}\n\n{more}." if more else text


def _markdown(table: Table) -> str:
    # Text from outside goes into a code span; our own words need none and read better.
    header = [name if name in OURS else code_span(name) for name in table.header]
    left = ["---"] * table.numbers_from
    right = ["--:"] * (len(table.header) - table.numbers_from)
    lines = [_row(header), _row(left + right)]
    for place, row in enumerate(table.rows):
        cells = [
            (f"**{cell}**" if (place, column) in table.best else cell)
            if column >= table.numbers_from
            else code_span(cell)
            for column, cell in enumerate(row)
        ]
        lines.append(_row(cells))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
