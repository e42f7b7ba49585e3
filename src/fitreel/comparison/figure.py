"""The figure: loss curves and final fits over each other, and the runs in a table."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fitreel.checks.text import shortened
from fitreel.comparison.colours import run_colours
from fitreel.comparison.compared import first_with_points
from fitreel.comparison.loss_curves import Curve, curves_of, draw_curves, thin_line
from fitreel.comparison.runs import Comparison
from fitreel.comparison.summary import Table, groups_table, more_params, runs_table
from fitreel.comparison.table_drawing import (
    ROW,
    SWATCH,
    column_widths,
    draw_table,
    new_page,
    write,
)
from fitreel.data.dataset import Dataset
from fitreel.pictures.backdrop import new_figure
from fitreel.pictures.figures import INK, draw_points, style
from fitreel.reel.probes import kind_of
from fitreel.reel.recording import Recording

MOST_PARAMS = 7  # columns
LONGEST_NAME = 60  # letters
FAINT = "#5b616b"
NARROWEST, MARGIN, PANEL, GAP = 1200, 24, 400, 26  # pixels


@dataclass(frozen=True, eq=False)
class Sheet:
    """The content of the picture."""

    title: str
    curves: tuple[Curve, ...]
    fits: tuple[Recording, ...]  # of one frame; none if any run predicts from more than one feature
    best: frozenset[int]  # places of the best runs
    points: Dataset | None  # if all runs have the same
    runs: Table
    groups: Table
    colours: tuple[str, ...]  # one a run
    group_colours: tuple[str, ...]
    notes: tuple[str, ...]
    step_name: str | None  # what the losses are drawn over; None: shares of the training


def draw_comparison(comparison: Comparison) -> Figure:
    """Draw a comparison: losses, final fits and tables; the height grows with the runs."""
    return draw_sheet(sheet(comparison))


def sheet(comparison: Comparison) -> Sheet:
    """Compute the content of a comparison's picture."""
    colours, runs = run_colours(comparison), comparison.runs
    best = comparison.best.get(comparison.metric, frozenset())
    last = np.array([-1])
    are_curves = all(kind_of(run.dataset) == "curve" for run in runs)
    fits = tuple(run.record(last) for run in runs if are_curves)
    same = len(set(first_with_points(runs))) == 1
    table = runs_table(comparison, MOST_PARAMS)
    return Sheet(
        f"{len(runs)} runs, by {comparison.metric}",
        curves_of(comparison, colours, best),
        fits,
        best,
        runs[0].dataset if same else None,
        table,
        groups_table(comparison),
        tuple(colours),
        tuple(colours[group.runs[0]] for group in comparison.groups),
        tuple(_notes(comparison, table)),
        None if comparison.align == "share" else comparison.step_name,
    )


def _notes(comparison: Comparison, table: Table) -> Iterator[str]:
    if table.best:
        yield "★ best of its column"
    if comparison.best.get(comparison.metric):
        yield f"thick line: best by {shortened(comparison.metric, 40)}"
    if more := more_params(comparison, MOST_PARAMS):
        yield more


def draw_sheet(content: Sheet) -> Figure:
    """Draw a sheet."""
    tables = [(content.groups, content.group_colours), (content.runs, content.colours)]
    tables = [(table, colours) for table, colours in tables if table.rows]
    widths = [column_widths(table) for table, _ in tables]
    width = max(NARROWEST, *(sum(each) + SWATCH + 2 * MARGIN for each in widths))
    top = 56 + PANEL + 70  # where the first table begins
    lines = sum(len(table.rows) + 1 for table, _ in tables)
    height = top + lines * ROW + len(tables) * GAP + ROW
    figure = new_figure(width, height)
    page = new_page(figure, width, height)
    write(page, content.title, MARGIN, 28, width - 2 * MARGIN, size=14, weight="bold")
    half = (width - 2 * MARGIN) / 2
    across = half - 66 if content.fits else 2 * half - 66

    def panel(x: float) -> Axes:
        place = x / width, 1 - (72 + PANEL) / height, across / width, PANEL / height
        return figure.add_axes(place)

    draw_curves(panel(MARGIN + 56), content.curves, content.step_name)
    if content.fits:
        _draw_fits(panel(MARGIN + half + 56), content)
    y = float(top)
    for (table, colours), natural in zip(tables, widths, strict=True):
        draw_table(page, table, colours, natural, (MARGIN, width - MARGIN), y)
        y += (len(table.rows) + 1) * ROW + GAP
    write(page, " · ".join(content.notes), MARGIN, y - 8, width - 2 * MARGIN, colour=FAINT)
    return figure


def _draw_fits(axes: Axes, content: Sheet) -> None:
    style(axes)
    if content.points is not None:
        draw_points(axes, content.points, 0.8)
    thin = thin_line(len(content.fits))
    for place, (fit, colour) in enumerate(zip(content.fits, content.colours, strict=True)):
        best = place in content.best
        axes.plot(
            fit.probes.x,
            fit.in_space(0),
            color=colour,
            linewidth=2.8 if best else thin,
            zorder=3 if best else 2,
        )
    # A fit that is far off must not flatten the others: the points decide what is in view.
    low = min(fit.dataset.y.min().item() for fit in content.fits)
    high = max(fit.dataset.y.max().item() for fit in content.fits)
    margin = 0.1 * ((high - low) or 1.0)
    axes.set_ylim(low - margin, high + margin)
    names = {fit.dataset.features[0] for fit in content.fits}
    name = names.pop() if len(names) == 1 else "x"
    axes.set_xlabel(shortened(name, LONGEST_NAME), color=INK, parse_math=False)
    points = "" if content.points is not None else "; the points differ and are not shown"
    axes.set_title(f"Final fits{points}", color=INK, fontsize=11, loc="left")
