import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from fitreel import TrainingSettings
from fitreel.pictures.figures import LINE_COLOUR, POINT_COLOUR, POSITIVE
from fitreel.settings import SweepSettings, with_values
from fitreel.settings.space import parse_space
from fitreel.sweep.pictures.axes import dimension_scale
from fitreel.sweep.pictures.bundle import bundle
from fitreel.sweep.pictures.charts import scores
from fitreel.sweep.pictures.figure import draw_search
from fitreel.sweep.pictures.marks import OTHERS
from fitreel.sweep.pictures.panels import panels
from fitreel.sweep.pictures.parallel import SHADES
from fitreel.sweep.pictures.scales import Scale, label
from fitreel.sweep.results import Results
from fitreel.sweep.trials import Outcome, Trial
from fitreel.training.members import End

LR = "lr=log:0.001:1"
ALL = (
    f"{LR} hidden=int:2:64 activation=relu|tanh|sigmoid|gelu optimizer=sgd|momentum|adam "
    "epochs=int:1000000:9999999 seed=0|2147483646|2147483647"
)
Ended = float | End  # a score, or the outcome of a trial without one


def search(
    ended: Sequence[Ended], space: str = LR, metric: Any = "test_rmse", floor: float = 0.001
) -> Results:
    """Return the results of trials spread over the space, with these outcomes."""
    settings = SweepSettings(space=space, metric=metric)
    trials, outcomes = [], []
    for number, each in enumerate(ended):
        part = number / max(1, len(ended) - 1)
        values = {
            one.name: one.values[number % len(one.values)]
            if one.values
            else type(one.low)(one.low * (one.high / one.low) ** part)
            for one in settings.dimensions
        }
        end: End = each if isinstance(each, str) else "finished"
        metrics = {} if isinstance(each, str) else {metric: each}
        trials.append(Trial(number, with_values(TrainingSettings(), values), 1))
        outcomes.append(Outcome(number, end, 9, 1, np.ones(9, "f4"), metrics, None, (0, 1)))
    return Results(settings, trials, outcomes, noise_floor=floor)


def drawn(figure: Figure) -> NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def has_colour(figure: Figure, place: tuple[float, float], colour: Any, axes: int = 0) -> bool:
    """Return whether the pixels at data coordinates have a colour."""
    pixels = drawn(figure)
    across, up = figure.axes[axes].transData.transform(place)
    row, column = len(pixels) - round(up), round(across)
    around = pixels[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3) / 255
    return bool((np.abs(around - to_rgb(colour)).max(axis=1) < 0.03).any())


def faint(colour: str, alpha: float = 0.8) -> tuple[float, ...]:
    return tuple(1 - alpha + alpha * part for part in to_rgb(colour))


def texts(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


# The numbers.


def test_trials_are_sorted_by_outcome() -> None:
    found = scores(search([0.5, "pruned", 0.2, "diverged", 0.4, 0.1, "pruned"]))
    assert found.numbers.tolist() == [0, 2, 4, 5]
    assert found.values.tolist() == [0.5, 0.2, 0.4, 0.1]
    assert {kind: each.tolist() for kind, each in found.others.items()} == {
        "diverged": [3],
        "pruned": [1, 6],
    }
    assert [each.tolist() for each in found.best_so_far] == [[0, 2, 5], [0.5, 0.2, 0.1]]
    assert not found.higher


def test_the_best_r2_is_the_highest_and_its_scale_has_no_lower_end() -> None:
    found = scores(search([-9, 0, 0.9, 0.5, 0.99], metric="test_r2"))
    assert [each.tolist() for each in found.best_so_far] == [[0, 1, 2, 4], [-9, 0, 0.9, 0.99]]
    assert found.places == pytest.approx([0, 1 / 3, 2 / 3, 0.435, 1], abs=0.01)
    assert [text for _, text in found.scale.ticks()] == ["−9", "0", "0.9", "0.99"]


@pytest.mark.parametrize(
    ("ended", "kind"),
    [([0.1, 0.9], "linear"), ([0.1, 1.1], "log"), ([0, 5], "linear"), ([0.2, 0.2], "linear")],
)
def test_scores_spread_over_a_decade_get_a_logarithmic_scale(ended: list[Ended], kind: str) -> None:
    scale = scores(search(ended, metric="test_mse")).scale
    assert scale.kind == kind
    assert scale.ticks()


def test_root_errors_need_a_root_of_a_decade_for_it() -> None:
    assert scores(search([0.1, 0.31])).scale.kind == "linear"
    assert scores(search([0.1, 0.32])).scale.kind == "log"


def test_scores_far_worse_than_the_others_are_off_the_scale() -> None:
    ended: list[Ended] = [*np.geomspace(0.01, 1, 99).tolist(), 1e30, math.inf, math.nan]
    found = scores(search(ended))
    assert found.scale.high == 1
    assert found.others["finished, off scale"].tolist() == [99, 100, 101]


def test_the_noise_floor_is_drawn_if_it_is_near() -> None:
    assert scores(search([0.01, 0.02], floor=0.005)).floor == 0.005
    assert scores(search([0.01, 0.02], floor=0.005)).scale.low == 0.005
    assert scores(search([0.01, 0.02], floor=0.0001)).floor is None
    assert scores(search([0.01, 0.02], metric="test_r2")).floor is None
    # As fitreel 0.3.0 ranked trials, by the square.
    assert scores(search([0.001, 0.002], metric="test_mse", floor=0.03)).floor == 0.03**2


def test_a_panel_has_each_trial_at_its_value_and_a_line_through_the_bins() -> None:
    ended: list[Ended] = [0.1 + (number % 5) for number in range(60)]
    results = search([*ended, "diverged"])
    (panel,) = panels(results, scores(results))
    assert panel.places == pytest.approx(np.linspace(0, 59 / 60, 60))
    assert panel.others["diverged"].tolist() == [1]
    assert len(panel.best) == len(panel.median) == 12
    assert panel.best[:, 0] == pytest.approx(panel.places[::5])
    assert panel.best[:, 1] == pytest.approx(scores(results).places[0])
    assert panel.median[:, 1] == pytest.approx(scores(results).places[2])


def test_each_choice_is_a_bin_with_its_trials_side_by_side() -> None:
    results = search([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "activation=tanh|relu")
    (panel,) = panels(results, scores(results))
    assert (panel.places[::2] < 0.45).all()
    assert (panel.places[1::2] > 0.55).all()
    assert len(set(panel.places)) == 6
    assert panel.best[:, 0] == pytest.approx([0.25, 0.75])
    assert np.array_equal(panels(results, scores(results))[0].places, panel.places)


def test_the_lines_end_with_the_best() -> None:
    results = search([0.1 + number % 20 for number in range(20)], f"{LR} seed=0|1")
    content = bundle(results, scores(results))
    assert content.names == ["lr", "seed", "test_rmse"]
    assert content.lines.shape == (20, 3)
    assert content.lines[:, 0] == pytest.approx(np.linspace(1, 0, 20))
    assert content.shades.tolist() == sorted(content.shades, reverse=True)
    assert content.thick.tolist() == [False] * 11 + [True] * 9


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.001, "0.001"), (1e-9, "1e−9"), (-9.0, "−9"), (1e30, "1e30"), (1000, "1000"), (64, "64"),
     (2e6, "2e6"), (2147483647, "2147483647"), (0.1 + 0.2, "0.3"), ("relu", "relu")],
)  # fmt: skip
def test_labels_are_short(value: Any, text: str) -> None:
    assert label(value) == text


def test_a_scale_has_round_values_as_fine_as_the_space_allows() -> None:
    log = Scale("log", 0.001, 0.5)
    assert [text for _, text in log.ticks(9)] == [
        "0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5"
    ]  # fmt: skip
    assert [text for _, text in log.ticks(3)] == ["0.001", "0.01", "0.1"]
    assert log.places([0.001, 0.005, 0.5, 9]) == pytest.approx([0, 0.259, 1, 1], abs=1e-3)
    assert [text for _, text in Scale("linear", 2, 64, is_whole=True).ticks(4)] == ["25", "50"]
    assert Scale("linear", 3, 3).ticks() == [(0.5, "3")]


@pytest.mark.parametrize(
    ("space", "scale"),
    [
        ("lr=log:0.1:1", Scale("log", 0.1, 1)),
        ("hidden=int:2:64", Scale("linear", 2, 64, is_whole=True)),
        ("hidden=int:2:4", Scale("choices", values=(2, 3, 4))),
        ("seed=7|3|5", Scale("choices", values=(3, 5, 7))),
        ("activation=tanh|relu", Scale("choices", values=("tanh", "relu"))),
        ("lr=log:1e-3:1:50", Scale("log", 0.001, 1)),
        ("lr=float:0.1:1:50", Scale("linear", 0.1, 1)),
    ],
)
def test_few_values_are_side_by_side_and_many_on_a_range(space: str, scale: Scale) -> None:
    assert dimension_scale(*parse_space(space)) == scale


def test_the_best_of_very_many_trials_are_among_the_lines() -> None:
    results = search([1 + number % 20_000 for number in range(20_000)])
    content = bundle(results, scores(results))
    assert len(content.lines) <= 3009
    assert content.shades[-9:] == pytest.approx(0, abs=0.5)
    assert content.thick.sum() == 9


# The pictures.


def test_the_history_shows_scores_the_best_and_others_at_the_edge() -> None:
    results = search([0.5, 0.2, "diverged", 0.4, "pruned", 0.1, 0.3])
    found, figure = scores(results), draw_search(results)["history"]
    for number in (3, 6):
        (place,) = found.scale.places([results.score(number)])
        assert has_colour(figure, (number, place), faint(POINT_COLOUR))
    for across, score in ((0.5, 0.5), (2.5, 0.2), (4.5, 0.2), (5.6, 0.1)):
        (place,) = found.scale.places([score])
        assert has_colour(figure, (across, place), LINE_COLOUR)
    assert has_colour(figure, (2, 1.045), OTHERS["diverged"][1])
    assert has_colour(figure, (4, 1.095), OTHERS["pruned"][1])
    assert texts(figure) == ["finished (5)", "best so far", "diverged (1)", "pruned (1)"]
    assert figure.texts[0].get_text() == "test_rmse of 7 trials: the best is number 5, 0.1"


def test_the_worse_edge_of_r2_is_below() -> None:
    figure = draw_search(search([0.5, "diverged", 0.9], metric="test_r2"))["history"]
    assert has_colour(figure, (1, -0.045), OTHERS["diverged"][1])
    assert has_colour(figure, (2, 1), LINE_COLOUR)
    assert not has_colour(figure, (1, 1.045), OTHERS["diverged"][1])


def test_the_bars_are_as_long_as_the_shares() -> None:
    importances = {"lr": 0.75, "hidden": 0.248, "seed": 0.002}
    results = replace(search([0.1, 0.2], f"{LR} hidden=int:2:64 seed=0|1"), importances=importances)
    figure = draw_search(results)["importance"]
    assert has_colour(figure, (0.7, 0), POSITIVE)
    assert has_colour(figure, (0.2, 1), POSITIVE)
    assert not has_colour(figure, (0.3, 1), POSITIVE)
    assert [text.get_text() for text in figure.axes[0].texts] == ["75 %", "25 %", "<1 %"]


def test_a_line_joins_settings_and_score_and_the_best_is_dark() -> None:
    figure = draw_search(search([0.1, 1.0, 0.5], metric="test_mse"))["parallel"]
    for across, up, shade in ((0.25, 0, 0.0), (0.2, 1 - 0.2 * 5 / 9, 4 / 9), (0.8, 0.9, 1.0)):
        assert has_colour(figure, (across, up), SHADES(shade)[:3])


def test_a_panel_shows_its_trials() -> None:
    results = search([0.5, "diverged", 0.4], f"{LR} activation=relu|tanh")
    found, figure = scores(results), draw_search(results)["settings"]
    (height,) = found.scale.places([0.5])
    assert has_colour(figure, (0, height), faint(POINT_COLOUR))
    assert has_colour(figure, (0.5, 1.06), OTHERS["diverged"][1])
    names = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert names == ["relu", "tanh"]


MANY: list[Ended] = [
    "pruned" if number % 3 == 0 else "diverged" if number % 7 == 0 else 0.003 * 1.002**number
    for number in range(2000)
]
LONELY: list[Ended] = [0.2 if n == 40 else "diverged" if n < 40 else "pruned" for n in range(81)]
ODD: dict[str, tuple[Sequence[Ended], str, str]] = {
    "one": ([0.1], LR, "test_rmse"),
    "equal": ([0.1] * 30, ALL, "test_rmse"),
    "zeros": ([0.0] * 30, ALL, "test_rmse"),
    "one among many": (LONELY, ALL, "test_rmse"),
    "huge": ([1e30, 3e30, 1e36], LR, "train_rmse"),
    "huge among others": ([0.1, 0.2, 1e30] * 9, ALL, "test_rmse"),
    "deep": ([-1e60, -3.0, 0.0, 0.9] * 5, ALL, "test_r2"),
    "below 0": ([-3.0, -3.1, -3.2], ALL, "test_r2"),
    "perfect": ([1.0, 1.0, 0.5], LR, "test_r2"),
    "infinite": ([math.inf, 0.1, -math.inf, math.nan], LR, "train_rmse"),
    "no scores": ([math.inf, math.nan], ALL, "test_r2"),
    "nearly equal": ([0.123456789, 0.123456790, 0.123456791], ALL, "test_rmse"),
    "tiny": ([1e-300, 1e-310, 5e-324, 1e-12], LR, "test_rmse"),
    "many": (MANY, ALL, "test_rmse"),
    "many choices": (np.linspace(0.1, 0.2, 90).tolist(), "lr=log:1e-3:1:50 seed=7|3", "test_rmse"),
    "one choice": ([0.1, 0.2], "hidden=8", "test_rmse"),
    "long choices": ([0.1, 0.2], "lr=0.123456789012|1e-9|123456.789 seed=2147483647", "test_rmse"),
}  # fmt: skip


@pytest.mark.parametrize(("ended", "space", "metric"), ODD.values(), ids=ODD.keys())
def test_results_with_any_outcomes_are_drawn(
    ended: Sequence[Ended], space: str, metric: str
) -> None:
    results = search(ended, space, metric)
    results = replace(results, importances=dict.fromkeys(results.names, 1 / len(results.names)))
    figures = draw_search(results)
    assert tuple(f"{name}.png" for name in figures) == results.pictures
    for name, figure in figures.items():
        height, width, _ = drawn(figure).shape
        assert width == 800
        assert height <= 700
        boxes = [
            (text.get_text(), Text.get_window_extent(text))  # an annotation without its point
            for text in [*figure.texts, *(label for axes in figure.axes for label in labels(axes))]
        ]
        boxes += [("legend", legend.get_window_extent()) for legend in figure.legends]
        for place, (text, box) in enumerate(boxes):
            assert 0 <= box.x0 < box.x1 <= width, (name, text)
            assert 0 <= box.y0 < box.y1 <= height, (name, text)
            for other, beside in boxes[:place]:
                assert not box.overlaps(beside), (name, text, other)


def labels(axes: Axes) -> list[Text]:
    """Return the visible texts of axes: names, numbers, and ticks in view."""
    found = [text for text in axes.texts if text.get_text()]
    if not axes.axison:
        return found
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for at, text in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False):
            if low <= at <= high and text.get_visible() and text.get_text():
                found.append(text)
    return [*found, *([axes.xaxis.label] if axes.get_xlabel() else [])]


def test_without_importances_there_is_no_picture_of_them() -> None:
    results = search([0.1, 0.2])
    assert results.pictures == ("history.png", "settings.png", "parallel.png")
    assert list(draw_search(results)) == ["history", "settings", "parallel"]
