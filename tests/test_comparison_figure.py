import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import NDArray

from fitreel.comparison.colours import run_colours
from fitreel.comparison.compared import OwnRun
from fitreel.comparison.figure import MOST_PARAMS, draw_comparison, sheet
from fitreel.comparison.runs import compare
from fitreel.comparison.table_drawing import TINT
from fitreel.settings import DataSettings
from tests.compared import HOSTILE, compared, hostile
from tests.films import boosted, filmed


def drawn(figure: Figure) -> NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def texts(figure: Figure) -> list[Text]:
    """Return the texts of the figure: title, tables, notes."""
    return [text for text in figure.axes[0].texts if text.get_text()]


def seeds() -> list[OwnRun]:
    return [compared(lr=lr, seed=seed) for lr in (0.05, 0.2) for seed in range(3)]


def test_each_single_run_has_a_curve_and_each_group_a_curve_with_a_band() -> None:
    comparison = compare([*seeds(), compared(lr=0.3)])
    content = sheet(comparison)
    first, second, single = content.curves
    assert np.array_equal(first.losses, comparison.groups[0].losses)
    assert (first.low <= first.losses).all()
    assert (first.high > first.losses).all()
    assert np.array_equal(single.losses, comparison.runs[6].losses)
    assert np.array_equal(single.low, single.high)
    assert [first.colour, second.colour, single.colour] == run_colours(comparison)[::3]
    assert [curve.best for curve in content.curves].count(True) == 1


def test_long_curves_keep_their_peaks() -> None:
    run = compared()
    losses = np.ones(100_000)
    losses[51_234], losses[70_007] = 9, 0.1
    long = replace(run, history=replace(run.history, losses=losses))
    curve = sheet(compare([long, run])).curves[0]
    assert len(curve.moments) <= 2002
    assert (curve.moments[0], curve.moments[-1]) == (0, 99_999)
    assert curve.losses[curve.moments == 51_234] == 9
    assert curve.losses[curve.moments == 70_007] == 0.1


def test_points_are_shown_only_where_all_runs_have_the_same() -> None:
    equal = draw_comparison(compare([compared(lr=0.1), compared(lr=0.2)]))
    assert len(equal.axes[2].collections) == 1
    other = compared(data=DataSettings(function="sine"))
    figure = draw_comparison(compare([compared(), other]))
    assert len(figure.axes[2].collections) == 0
    assert figure.axes[2].get_title("left") == "Final fits; the points differ and are not shown"


def test_each_row_has_a_swatch_in_the_colour_of_its_line() -> None:
    runs = [compared(lr=0.05), compared(lr=0.2), compared(optimizer="adam")]
    comparison = compare(runs)
    figure = draw_comparison(comparison)
    picture = drawn(figure)
    page, _, fits = figure.axes
    swatches = [patch for patch in page.patches if patch.get_width() < 30]  # type: ignore[attr-defined]
    assert len(swatches) == 3
    for run, swatch, colour in zip(runs, swatches, run_colours(comparison), strict=True):
        box = swatch.get_window_extent()
        middle = (int(box.x0 + box.x1) // 2, int(box.y0 + box.y1) // 2)
        x = run.dataset.x[[3]]
        y = run.history.frames[-1].predict(x)
        place = fits.transData.transform((x.item(), y.item()))
        for across, up in (middle, place):
            expected = pytest.approx(np.array(to_rgb(colour)) * 255, abs=2)
            around = picture[-int(up) - 2 : -int(up) + 1, int(across) - 1 : int(across) + 2]
            assert any(pixel == expected for pixel in around.reshape(-1, 3))


def test_the_best_run_has_a_star_a_thick_line_and_a_tinted_row() -> None:
    run = compared()
    runs = [replace(run, name=str(loss), metrics={"loss": loss}) for loss in (0.5, 0.25, 0.25)]
    figure = draw_comparison(compare(runs, "loss"))
    marked = [text for text in texts(figure) if text.get_text() == "★ 0.25"]
    assert [text.get_fontweight() for text in marked] == ["bold", "bold"]
    tinted = [each for each in figure.axes[0].patches if each.get_facecolor()[:3] == to_rgb(TINT)]
    assert len(tinted) == 2
    for text, patch in zip(marked, tinted, strict=True):
        inner, outer = text.get_window_extent(), patch.get_window_extent()
        assert outer.x0 < inner.x0 < inner.x1 < outer.x1
        assert outer.y0 < (inner.y0 + inner.y1) / 2 < outer.y1
    assert "★ best of its column · thick line: best by loss" in [
        text.get_text() for text in texts(figure)
    ]


def test_numbers_have_four_digits_and_missing_values_are_a_dash() -> None:
    run = compared()
    runs = [
        replace(run, metrics={"loss": 0.123456}, params={"lr": "0.1"}),
        replace(run, metrics={"test_rmse": 12345.678}),
    ]
    table = sheet(compare(runs)).runs
    assert table.header[-2:] == ("test_rmse", "loss")
    assert [row[-2:] for row in table.rows] == [("–", "0.1235"), ("1.235e+04", "–")]


def test_as_many_params_as_fit_are_shown_and_the_others_counted() -> None:
    run = compared()
    runs = [replace(run, params={f"p{n}": str(k) for n in range(10)}) for k in range(2)]
    content = sheet(compare(runs))
    assert content.runs.numbers_from == 1 + MOST_PARAMS
    assert "3 more params differ" in content.notes


@pytest.mark.parametrize(
    "runs",
    [
        [compared(lr=0.1), compared(lr=0.2)],
        [*seeds(), compared(lr=0.3)],
        hostile(),
        [compared(place, name="n" * 300, params={f"p{n}" * 30: f"{place}" * 99 for n in range(9)})
         for place in range(3)],
        [compared(seed=seed, lr=0.1 + seed / 1000) for seed in range(60)],
    ],
    ids=["two", "groups", "strangers", "wide", "sixty"],
)  # fmt: skip
def test_no_text_overlaps_another_or_leaves_the_picture(runs: list[OwnRun]) -> None:
    figure = draw_comparison(compare(runs))
    height, width, _ = drawn(figure).shape
    assert 1200 <= width <= 1900
    boxes = [(text, text.get_window_extent()) for text in texts(figure)]
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.x1 <= width, text
        clip = text.get_clip_box()
        assert clip is not None
        assert 0 <= clip.y0 < clip.y1 <= height, text
        for other, beside in boxes:
            if other is not text and other.get_position()[1] == text.get_position()[1]:
                assert box.x1 < beside.x0 or beside.x1 < box.x0, (text, other)
    panels = [axes.get_window_extent().y0 for axes in figure.axes[1:]]
    title, *table = [text.get_clip_box() for text, _ in boxes]
    assert title is not None
    assert title.y0 > max(axes.get_tightbbox().y1 for axes in figure.axes[1:])  # type: ignore[union-attr]
    assert max(box.y1 for box in table if box) < min(panels)
    assert isinstance(figure.axes[0].patches[0], Rectangle)


def test_text_with_stacked_accents_stays_on_its_line() -> None:
    plain, piled = (
        draw_comparison(compare([compared(name=name), compared(name="other")]))
        for name in ("e", "e" + "\u0301" * 300)
    )
    places = [[text.get_position() for text in texts(figure)] for figure in (plain, piled)]
    assert places[0] == places[1]
    different = (drawn(plain) != drawn(piled)).any(axis=-1)
    assert 0 < np.flatnonzero(different.any(axis=1)).size <= 24  # inside its row


def test_odd_losses_are_drawn() -> None:
    run = compared()
    for losses in (np.zeros(60), np.full(60, 1e38), np.linspace(1, 0, 60)):
        odd = replace(run, history=replace(run.history, losses=losses))
        drawn(draw_comparison(compare([odd, odd])))
    short = compared(epochs=1)
    drawn(draw_comparison(compare([short, replace(short, params={})])))


def test_points_stay_in_view_if_a_fit_is_far_off() -> None:
    run = compared()
    frames = run.history.frames
    huge = replace(frames, output_weight=frames.output_weight * 1e38)
    off = replace(run, history=replace(run.history, frames=huge))
    figure = draw_comparison(compare([run, off]))
    drawn(figure)
    assert figure.axes[2].get_ylim() == pytest.approx((0, 1.2), abs=0.2)


def test_diverged_curves_leave_the_picture() -> None:
    wild = compared(lr=0.7)
    losses = np.geomspace(0.5, 1e36, len(wild.history.losses))
    history = replace(wild.history, losses=losses)
    figure = draw_comparison(compare([compared(), replace(wild, history=history)]))
    low, high = figure.axes[1].get_ylim()
    assert 1e-4 < low < compared().history.losses.min()
    assert 1 < high < 200


# ---- films of any model


def test_films_have_curves_and_fits_beside_our_own() -> None:
    own, tree = compared(), boosted(stages=12)
    content = sheet(compare([own, tree], "loss"))
    first, second = content.curves
    assert first.moments.tolist() == list(range(60))
    assert second.moments.tolist() == list(range(1, 13))
    assert second.losses == pytest.approx(tree.losses)
    assert (first.best, second.best) == (False, True)
    assert content.points is own.dataset  # the film was given the same points
    assert content.fits[1].epochs.tolist() == [12]
    figure = draw_comparison(compare([own, tree], "loss"))
    drawn(figure)
    assert figure.axes[1].get_xlabel() == "epoch"
    x, y = figure.axes[2].lines[1].get_data()
    assert len(set(np.asarray(y))) < 60  # a tree has steps
    assert len(np.asarray(x)) == 200


def test_by_share_all_curves_are_as_wide() -> None:
    runs = [compared(), compared(epochs=20), boosted(stages=12)]
    figure = draw_comparison(compare(runs, "loss", "share"))
    drawn(figure)
    ends = [np.asarray(line.get_xdata())[[0, -1]].tolist() for line in figure.axes[1].lines]
    # Our networks have a last frame after their last loss; a film's last loss is its end.
    assert ends == [[0, pytest.approx(59 / 60)], [0, pytest.approx(19 / 20)], [0, 1]]
    assert figure.axes[1].get_xlabel() == "share of the training"
    assert "100 %" in [text.get_text() for text in figure.axes[1].get_xticklabels()]


def test_the_steps_of_films_alone_are_steps() -> None:
    figure = draw_comparison(compare([filmed(1), boosted(stages=12)], "loss"))
    assert figure.axes[1].get_xlabel() == "step"


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ([math.nan, 3.0, math.inf, 2.0, -math.inf, 1.0], "log"),
        ([2.0, 1.0, 0.0, -1.0, -2.0, -3.0], "linear"),  # as a likelihood's
        ([0.5, math.nan, math.nan, math.nan, math.nan, math.nan], "log"),
        ([1e300, 1e30, 1e10, 1.0, 1e-10, 1e-300], "log"),
    ],
)
def test_losses_of_any_size_are_drawn(losses: list[float], scale: str) -> None:
    film = filmed(steps=range(6), losses=losses)
    content = sheet(compare([compared(), film]))
    expected = [loss if abs(loss) < 1e60 else math.nan for loss in losses]
    expected = [1e-60 if 0 < loss < 1e-60 else loss for loss in expected]
    assert np.array_equal(content.curves[1].losses, expected, equal_nan=True)
    figure = draw_comparison(compare([compared(), film]))
    drawn(figure)
    assert figure.axes[1].get_yscale() == scale
    assert np.isfinite(figure.axes[1].get_ylim()).all()


def test_losses_below_zero_stay_in_view_beside_high_ones() -> None:
    film = filmed(steps=range(4), losses=[0.1, 500.0, -1.0, -3.0])
    figure = draw_comparison(compare([compared(), film]))
    drawn(figure)
    low, high = figure.axes[1].get_ylim()
    assert low < -3 < 500 < high


def test_texts_of_films_fit_the_picture() -> None:
    films = [
        filmed(place, name=text, params={text: text, "seed": str(place)}, metrics={text: 1.0})
        for place, text in enumerate(HOSTILE)
    ]
    drawn(draw_comparison(compare([compared(), *films])))
