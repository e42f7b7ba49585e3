"""The pictures of a search: 800 pixels wide, as MLflow's notes are.

Optuna's own pictures need pyplot and its state, one bad trial hides all others, and labels overlap.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fitreel.pictures.figures import INK, LINE_COLOUR, POSITIVE, style
from fitreel.pictures.fitted_text import text_width
from fitreel.sweep.pictures.bundle import bundle
from fitreel.sweep.pictures.charts import Scores, scores
from fitreel.sweep.pictures.marks import dot_handle, dots, draw_edge, other_handles, score_grid
from fitreel.sweep.pictures.page import MARGIN, WIDTH, add_axes, new_page
from fitreel.sweep.pictures.panel_figure import draw_panels
from fitreel.sweep.pictures.panels import panels
from fitreel.sweep.pictures.parallel import draw_bundle
from fitreel.sweep.results import Results

UP = 300  # pixels of the scale of scores


def draw_search(results: Results) -> dict[str, Figure]:
    """Draw what ``results.pictures`` names, by names without a suffix, 800 pixels wide.

    The scores in order, what decides them, each setting alone, all settings at once.
    """
    found, importances = scores(results), results.importances
    return {
        "history": draw_scores(found),
        **({"importance": draw_importances(importances)} if importances else {}),
        "settings": draw_panels(panels(results, found), found),
        "parallel": draw_bundle(bundle(results, found), found),
    }


def draw_scores(found: Scores) -> Figure:
    """Draw the score of every trial in order, and the best until then."""
    numbers, best = found.best_so_far
    title = f"{found.metric} of {found.count:,} trial{'s' * (found.count > 1)}"
    if len(best):
        title += f": the best is number {numbers[-1]}, {best[-1]:.4g}".replace("-", "−")
    figure, (axes,) = score_grid(1, 1, UP, found, title, _handles(found))
    axes.plot(found.numbers, found.places, **dots(len(found.numbers)))
    if len(best):
        _draw_best(axes, found)
    for kind, others in found.others.items():
        draw_edge(axes, found, kind, others, UP)
    if found.floor is not None:
        axes.axhline(*found.scale.places([found.floor]), color=INK, linestyle=":", linewidth=1.6)
    margin = max(0.5, 0.015 * found.count)
    axes.set_xlim(-margin, found.count - 1 + margin)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("trial", color=INK, fontsize=10)
    return figure


def _handles(found: Scores) -> list[Line2D]:
    handles = [dot_handle(f"finished ({len(found.numbers):,})")]
    if len(found.numbers):
        handles.append(Line2D([], [], color=LINE_COLOUR, label="best so far"))
    handles += other_handles(found)
    if found.floor is not None:
        text = f"noise floor: {found.floor:.4g}"
        handles.append(Line2D([], [], color=INK, linestyle=":", label=text))
    return handles


def _draw_best(axes: Axes, found: Scores) -> None:
    numbers, best = found.best_so_far
    places = found.scale.places(best)
    across, up = [*numbers, found.count - 1], [*places, places[-1]]
    axes.plot(across, up, color=LINE_COLOUR, drawstyle="steps-post")
    star: dict[str, Any] = {"marker": "*", "markersize": 16, "markeredgecolor": "white"}
    axes.plot(numbers[-1:], places[-1:], color=LINE_COLOUR, zorder=5, **star)


def draw_importances(importances: Mapping[str, float]) -> Figure:
    """Draw the share of each setting as a bar."""
    names = list(importances)
    top, height = 44, 44 + 34 * len(names) + MARGIN
    left = 2 * MARGIN + max(text_width(name, 10) for name in names)
    figure = new_page(height, "How much each setting decides who is among the best tenth")
    axes = add_axes(figure, left, top, WIDTH - left - 60, height - top - MARGIN)
    style(axes)
    axes.grid(visible=False)
    axes.spines[["bottom"]].set_visible(False)
    shares = np.nan_to_num(np.array(list(importances.values()), float))
    bars = axes.barh(np.arange(len(names)), shares, height=0.62, color=POSITIVE)
    texts = ["<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %" for share in shares]
    axes.bar_label(bars, texts, padding=5, fontsize=10, color=INK)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, shares.max() or 1)
    axes.tick_params(bottom=False, labelbottom=False, left=False)
    return figure
