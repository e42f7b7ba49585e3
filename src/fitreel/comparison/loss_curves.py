"""The loss curves of a comparison: of runs, or the means of groups with their bands."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from fitreel.comparison.compared import ComparedRun
from fitreel.comparison.runs import Comparison
from fitreel.comparison.timeline import moments_of
from fitreel.pictures.figures import INK, style
from fitreel.reel.thinning import curve_places
from fitreel.settings import Align

MOST_CURVE_POINTS = 2000
SMALLEST, LARGEST = 1e-60, 1e60  # of the losses that are drawn
DIVERGED = 100  # times the highest first loss


@dataclass(frozen=True, eq=False)
class Curve:
    """A loss curve: of a run, or the mean of a group between ``low`` and ``high``.

    What cannot be drawn is NaN, a gap.
    """

    moments: NDArray[np.float64]  # epochs, or shares of the training
    losses: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    colour: str
    best: bool


def curves_of(
    comparison: Comparison, colours: Sequence[str], best: Collection[int]
) -> tuple[Curve, ...]:
    """Return a curve for each group and for each run that is in none; ``best`` are its places."""
    runs, curves, grouped = comparison.runs, list[Curve](), set[int]()
    for group in comparison.groups:
        first, is_best = group.runs[0], any(place in best for place in group.runs)
        bands = (group.losses, group.low, group.high)
        curves.append(_curve(runs[first], comparison.align, bands, colours[first], is_best))
        grouped.update(group.runs)
    for place, run in enumerate(runs):
        if place not in grouped:
            bands = (run.losses, run.losses, run.losses)
            curves.append(_curve(run, comparison.align, bands, colours[place], place in best))
    return tuple(curves)


def _curve(
    run: ComparedRun, align: Align, bands: Sequence[NDArray[np.float64]], colour: str, best: bool
) -> Curve:
    kept = curve_places(bands[0], MOST_CURVE_POINTS)
    mean, low, high = (_drawable(each[kept]) for each in bands)
    return Curve(moments_of(run, run.steps[kept], align), mean, low, high, colour, best)


def _drawable(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return losses that a logarithmic axis can hold: those beyond all sizes are NaN, a gap."""
    large = np.where(np.abs(losses) < LARGEST, losses, np.nan)
    return np.where((large > 0) & (large < SMALLEST), SMALLEST, large)


def draw_curves(axes: Axes, curves: Sequence[Curve], step_name: str | None) -> None:
    """Draw the curves over their steps, or if these have no name over shares of the training."""
    style(axes)
    finite = [curve.losses[~np.isnan(curve.losses)] for curve in curves]
    positive = [losses[losses > 0] for losses in finite]
    # The loss of any model may be negative, as a likelihood's is.
    has_negative = any((losses < 0).any() for losses in finite)
    if any(map(len, positive)) and not has_negative:
        axes.set_yscale("log")
        axes.tick_params(which="minor", colors=INK, labelsize=8)
    thin, faint = thin_line(len(curves)), 0.18 if len(curves) <= 6 else 0.07
    for curve, losses in zip(curves, finite, strict=True):
        order = 3 if curve.best else 2
        if _has_band(curve):
            axes.fill_between(
                curve.moments, curve.low, curve.high, color=curve.colour, alpha=faint, linewidth=0
            )
        axes.plot(
            curve.moments,
            curve.losses,
            color=curve.colour,
            linewidth=2.8 if curve.best else thin,
            marker="o" if len(losses) == 1 else None,  # a line of one point is invisible
            zorder=order,
        )
    # A loss far above all first losses has diverged; shown in full it would flatten the others.
    begin = max((losses[0] for losses in finite if len(losses)), default=0.0)
    highest = max((losses.max() for losses in finite if len(losses)), default=0.0)
    if highest > DIVERGED * begin > 0 and not has_negative:
        lowest = min((found.min() for found in positive if len(found)), default=0.1)
        axes.set_ylim(0.7 * lowest, DIVERGED * begin)
    if step_name is None:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.set_xlabel(step_name or "share of the training", color=INK)
    banded = any(map(_has_band, curves))
    means = "; of several seeds the mean and its 95 % interval" if banded else ""
    axes.set_title(f"Loss{means}", color=INK, fontsize=11, loc="left")


def _has_band(curve: Curve) -> bool:
    return not np.array_equal(curve.low, curve.high, equal_nan=True)


def thin_line(lines: int) -> float:
    """Return the width of one of so many lines, in points."""
    return 1.8 if lines <= 12 else 1.0
