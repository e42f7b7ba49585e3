"""The figure: loss curves and final fits over each other, and the runs in a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fitreel.checks.text import shortened
from fitreel.comparison.colours import run_colours
from fitreel.comparison.runs import Comparison, first_with_points
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
from fitreel.pictures.backdrop import DPI
from fitreel.pictures.figures import INK, draw_points, style
from fitreel.reel.of_history import record_frames
from fitreel.reel.probes import kind_of
from fitreel.reel.recording import Recording
from fitreel.reel.thinning import curve_places

MOST_PARAMS = 7  # columns
MOST_CURVE_POINTS = 2000
DIVERGED = 100  # times the highest first loss
LONGEST_NAME = 60  # letters
FAINT = "#5b616b"
NARROWEST, MARGIN, PANEL, GAP = 1200, 24, 400, 26  # pixels


@dataclass(frozen=True, eq=False)
class Curve:
    """A loss curve: of a run, or the mean of a group between ``low`` and ``high``."""

    epochs: NDArray[np.int64]
    losses: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    colour: str
    best: bool


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


def draw_comparison(comparison: Comparison) -> Figure:
    """Draw a comparison: losses, final fits and tables; the height grows with the runs."""
    return draw_sheet(sheet(comparison))


def sheet(comparison: Comparison) -> Sheet:
    """Compute the content of a comparison's picture."""
    colours, runs = run_colours(comparison), comparison.runs
    best = comparison.best.get(comparison.metric, frozenset())
    curves, grouped = [], set[int]()
    for group in comparison.groups:
        shades = colours[group.runs[0]], not best.isdisjoint(group.runs)
        curves.append(_curve(group.losses, group.low, group.high, *shades))
        grouped.update(group.runs)
    for place, run in enumerate(runs):
        if place not in grouped:
            losses = run.history.losses
            curves.append(_curve(losses, losses, losses, colours[place], place in best))
    last = np.array([-1])
    are_curves = all(kind_of(run.dataset) == "curve" for run in runs)
    fits = tuple(record_frames(run.dataset, run.history, last) for run in runs if are_curves)
    same = len(set(first_with_points(runs))) == 1
    table = runs_table(comparison, MOST_PARAMS)
    return Sheet(
        f"{len(runs)} runs, by {comparison.metric}",
        tuple(curves),
        fits,
        best,
        runs[0].dataset if same else None,
        table,
        groups_table(comparison),
        tuple(colours),
        tuple(colours[group.runs[0]] for group in comparison.groups),
        tuple(_notes(comparison, table)),
    )


def _notes(comparison: Comparison, table: Table) -> Iterator[str]:
    if table.best:
        yield "★ best of its column"
    if comparison.best.get(comparison.metric):
        yield f"thick line: best by {shortened(comparison.metric, 40)}"
    if more := more_params(comparison, MOST_PARAMS):
        yield more


def _curve(
    losses: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    colour: str,
    best: bool,
) -> Curve:
    epochs = curve_places(losses, MOST_CURVE_POINTS)
    return Curve(epochs, losses[epochs], low[epochs], high[epochs], colour, best)


def draw_sheet(content: Sheet) -> Figure:
    """Draw a sheet."""
    tables = [(content.groups, content.group_colours), (content.runs, content.colours)]
    tables = [(table, colours) for table, colours in tables if table.rows]
    widths = [column_widths(table) for table, _ in tables]
    width = max(NARROWEST, *(sum(each) + SWATCH + 2 * MARGIN for each in widths))
    top = 56 + PANEL + 70  # where the first table begins
    lines = sum(len(table.rows) + 1 for table, _ in tables)
    height = top + lines * ROW + len(tables) * GAP + ROW
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    page = new_page(figure, width, height)
    write(page, content.title, MARGIN, 28, width - 2 * MARGIN, size=14, weight="bold")
    half = (width - 2 * MARGIN) / 2
    across = half - 66 if content.fits else 2 * half - 66

    def panel(x: float) -> Axes:
        place = x / width, 1 - (72 + PANEL) / height, across / width, PANEL / height
        return figure.add_axes(place)

    _draw_losses(panel(MARGIN + 56), content.curves)
    if content.fits:
        _draw_fits(panel(MARGIN + half + 56), content)
    y = float(top)
    for (table, colours), natural in zip(tables, widths, strict=True):
        draw_table(page, table, colours, natural, (MARGIN, width - MARGIN), y)
        y += (len(table.rows) + 1) * ROW + GAP
    write(page, " · ".join(content.notes), MARGIN, y - 8, width - 2 * MARGIN, colour=FAINT)
    return figure


def _draw_losses(axes: Axes, curves: Sequence[Curve]) -> None:
    style(axes)
    positive = [curve.losses[curve.losses > 0] for curve in curves]
    if any(map(len, positive)):
        axes.set_yscale("log")
        axes.tick_params(which="minor", colors=INK, labelsize=8)
    thin, faint = _thin(len(curves)), 0.18 if len(curves) <= 6 else 0.07
    for curve in curves:
        order = 3 if curve.best else 2
        if not np.array_equal(curve.low, curve.high):
            axes.fill_between(
                curve.epochs, curve.low, curve.high, color=curve.colour, alpha=faint, linewidth=0
            )
        axes.plot(
            curve.epochs,
            curve.losses,
            color=curve.colour,
            linewidth=2.8 if curve.best else thin,
            marker="o" if len(curve.epochs) == 1 else None,  # a line of one point is invisible
            zorder=order,
        )
    # A loss far above all first losses has diverged; shown in full it would flatten the others.
    begin = max(curve.losses[0] for curve in curves)
    highest = max(curve.losses.max() for curve in curves)
    if highest > DIVERGED * begin > 0:
        lowest = min((found.min() for found in positive if len(found)), default=0.1)
        axes.set_ylim(0.7 * lowest, DIVERGED * begin)
    axes.set_xlabel("epoch", color=INK)
    banded = any(not np.array_equal(curve.low, curve.high) for curve in curves)
    means = "; of several seeds the mean and its 95 % interval" if banded else ""
    axes.set_title(f"Loss{means}", color=INK, fontsize=11, loc="left")


def _draw_fits(axes: Axes, content: Sheet) -> None:
    style(axes)
    if content.points is not None:
        draw_points(axes, content.points, 0.8)
    thin = _thin(len(content.fits))
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


def _thin(lines: int) -> float:
    return 1.8 if lines <= 12 else 1.0
