"""The page of any model's reel in a real browser."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from playwright.sync_api import Browser, Page, expect

from fitreel import Reel, write_reel_player
from fitreel.pages.coarse_grid import GRID, GRID_OF_CLASSES, on_page_grid
from fitreel.pages.curves import MOST_LOSSES, MOST_METRICS
from fitreel.reel.probes import GRID as GRID_OF_FILM
from tests.browser import data, errorless, is_red, numbers, pixel, scrub
from tests.kinds import KINDS, dataset_of, history_of
from tests.reels import constant, reel_of, sine
from tests.test_pages_tables import opened

SHOWN = "[...training.at(transport.place)].map((each) => training.number(each))"
X = np.linspace(0, 3, 40)
Y = np.sin(X)


def waves(losses: list[float], steps: range | None = None, **keywords: Any) -> Reel:
    """Return a reel that predicts a growing sine, with a frame at each loss."""
    reel = Reel(X, Y, every=1, **keywords)
    for place, (step, loss) in enumerate(zip(steps or range(len(losses)), losses, strict=True)):
        reel.frame(step, loss, sine(place / max(1, len(losses) - 1)))
    return reel


def turns(count: int, x: Any) -> Any:
    """Predict one class after the other, with certainty."""
    return np.eye(count)[np.arange(len(x)) % count]


def shown(page: Page, folder: Path, reel: Reel) -> Page:
    """Open the page of a reel."""
    reel.write_player(folder / "player.html")
    return opened(page, folder / "player.html")


def facts(page: Page) -> list[str]:
    return page.locator("#facts").inner_text().split(" · ")


def moment(page: Page) -> list[float]:
    return numbers(page.locator("#moment").inner_text())


def point(page: Page, chart: str, across: float, up: float = 0.5) -> None:
    """Move the mouse to a place of a chart, in parts of it."""
    over = page.locator(f"{chart} .u-over")
    over.scroll_into_view_if_needed()
    area = over.bounding_box()
    assert area
    page.mouse.move(area["x"] + across * area["width"], area["y"] + (1 - up) * area["height"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_reel_of_any_kind_is_played(page: Page, tmp_path: Path, kind: str) -> None:
    shown(page, tmp_path, reel_of(kind))
    dataset, history = dataset_of(kind), history_of(kind)
    for place in (0, 7, 12):
        scrub(page, place)
        expect(page.locator("#moment")).to_contain_text("step")
        loss = pytest.approx(history.frame_losses[place], abs=1e-4, rel=1e-5)
        assert moment(page) == [5 * place, loss]
    rows = f"{len(dataset)} training rows"
    features = len(dataset.features)
    assert facts(page) == [
        "13 steps, 0 to 60",
        "13 frames",
        f"{features} feature{'s' if features > 1 else ''}",
        rows,
    ]
    assert page.locator("#loss-name").inner_text() == "loss"
    assert (tmp_path / "player.html").stat().st_size < 1_500_000


def test_the_line_of_a_curve_is_right_within_half_a_pixel(page: Page, tmp_path: Path) -> None:
    shown(page, tmp_path, reel_of("curve"))
    for place in (3, 12):
        scrub(page, place)
        found, wanted = page.evaluate(SHOWN), reel_of("curve").frames[place].predictions
        assert page.evaluate("[...training.line]") == reel_of("curve").probes.x.tolist()
        low, high = page.evaluate("training.yRange")
        height = page.evaluate("view.chart.bbox.height")
        assert np.abs(found - wanted).max() * height / (high - low) < 0.5
        for x, y in zip(reel_of("curve").probes.x[4::15].tolist(), wanted[4::15], strict=True):
            assert is_red(pixel(page, "view.chart", x, float(y)))


def test_the_points_of_a_curve_are_shown(page: Page, tmp_path: Path) -> None:
    shown(page, tmp_path, waves([1.0]))  # it predicts 0
    for x, y in zip(X[3:-3], Y[3:-3], strict=True):
        red, _, blue = pixel(page, "view.chart", x, y)
        assert blue > red + 50
    expect(page.locator("#legend-of-view")).to_have_text("the model point")


def test_what_is_under_the_mouse_is_on_the_line(page: Page, tmp_path: Path) -> None:
    shown(page, tmp_path, waves([1.0, 0.5, 0.1]))
    for place, share in ((1, 0.5), (2, 1.0)):
        scrub(page, place)
        for across in (0.2, 0.55, 0.9):
            point(page, "#fit", across)
            x, y = numbers(page.locator("#fit-reading").inner_text())
            assert y == pytest.approx(share * math.sin(x), abs=1e-3)
    point(page, "#fit", 0.001)  # in the margin, where nothing was predicted
    expect(page.locator("#fit-reading")).to_have_text("no prediction here")
    page.mouse.move(0, 0)
    expect(page.locator("#fit-reading")).to_have_text("point at the chart to read it")


def test_a_line_that_leaves_the_picture_steeply_stays_where_it_is(
    page: Page, tmp_path: Path
) -> None:
    reel = Reel(X, Y, every=1)
    # Probes are 0.015 apart: between two of them it rises by the heights of 35 pictures.
    reel.frame(0, 1, lambda x: 3000 * (x - 0.9955))
    shown(page, tmp_path, reel)
    found, line = page.evaluate(SHOWN), page.evaluate("[...training.line]")
    pixels = page.evaluate("view.chart.bbox.width") / np.ptp(page.evaluate("training.xRange"))
    for y in (0.1, 0.5, 0.9):
        x = 0.9955 + y / 3000
        assert abs(np.interp(y, found, line) - x) * pixels < 0.5
        assert is_red(pixel(page, "view.chart", x, y))
    point(page, "#fit", 0.9)
    assert page.locator("#fit-reading").inner_text().split("predicted y ")[1].startswith("above ")
    point(page, "#fit", 0.1)
    assert page.locator("#fit-reading").inner_text().split("predicted y ")[1].startswith("below ")


@pytest.mark.parametrize(("level", "is_above"), [(5.0, True), (-5.0, False)])
def test_a_page_says_where_a_line_is_that_cannot_be_seen(
    page: Page, tmp_path: Path, level: float, is_above: bool
) -> None:
    reel = Reel(X, Y, every=1)
    reel.frame(0, 1, constant(0.5))
    reel.frame(1, 1, constant(level))
    shown(page, tmp_path, reel)
    count = """(top) => {
        const { ctx, bbox } = view.chart, height = Math.round(bbox.height / 10);
        const from = top ? bbox.top : bbox.top + bbox.height - height;
        const { data } = ctx.getImageData(bbox.left, from, bbox.width, height);
        let red = 0;
        for (let at = 0; at < data.length; at += 4) red += data[at] > 150 && data[at + 1] < 90;
        return red;
    }"""
    assert page.evaluate(count, is_above) > 50
    assert page.evaluate(count, not is_above) == 0
    scrub(page, 0)
    assert page.evaluate(count, is_above) == 0


def test_own_probes_are_within_the_picture(page: Page, tmp_path: Path) -> None:
    shown(page, tmp_path, waves([1, 0.5], probes=np.linspace(-2, 6, 100)))
    for x in (0.5, 2.9, 6.0):
        assert is_red(pixel(page, "view.chart", x, math.sin(x))) == (x < 4)
    low, high = page.evaluate("[view.chart.scales.x.min, view.chart.scales.x.max]")
    assert low < -2 < 6 < high


# ---- grids


@pytest.mark.parametrize("kind", ["field", "regions"])
def test_the_grid_of_a_page_is_coarser_and_right(kind: str) -> None:
    recording = reel_of(kind).recording()
    coarse = on_page_grid(recording)
    assert (recording.probes.grid, coarse.probes.grid) == (GRID_OF_FILM, GRID)
    assert coarse.probes.places == GRID[0] * GRID[1]
    space = coarse.probes.inputs[: coarse.probes.places]
    wanted = history_of(kind).frames[-1].predict(space).numpy()
    # Of a smooth prediction; at the four corners, to the last bits.
    assert coarse.in_space(12) == pytest.approx(wanted, abs=0.02 * float(np.ptp(wanted)))
    corners = [0, GRID[0] - 1, -GRID[0], -1]
    assert coarse.in_space(12)[corners] == pytest.approx(wanted[corners], rel=1e-4)
    assert np.array_equal(coarse.on_training(12), recording.on_training(12))


def test_a_grid_of_many_classes_is_coarser_still_and_a_coarse_one_stays() -> None:
    rng = np.random.default_rng(0)
    for count, grid in ((3, GRID_OF_CLASSES), (6, (24, 18))):
        reel = Reel(rng.normal(size=(60, 2)), np.arange(60) % count, classes=range(count), every=1)
        reel.frame(0, 1, partial(turns, count))
        coarse = on_page_grid(reel.recording())
        assert coarse.probes.grid == grid
        assert coarse.in_space(0).sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert on_page_grid(coarse) is coarse
    recording = reel_of("agreement").recording()
    assert on_page_grid(recording) is recording


# ---- losses and further metrics


def test_further_metrics_like_the_loss_are_lines_of_its_chart(page: Page, tmp_path: Path) -> None:
    reel = reel_of("confidence")
    shown(page, tmp_path, reel)
    legend = page.locator("#legend-of-loss")
    expect(legend).to_contain_text("val_loss")
    expect(legend).not_to_contain_text("accuracy")
    low, high = page.evaluate("[loss.scales.y.min, loss.scales.y.max]")
    values = reel.curves["val_loss"].values
    assert low < values.min() < values.max() < high
    orange = np.array(to_rgb("#c25e00")) * 255
    between = np.sqrt(values[1:] * values[:-1])  # a straight line on a logarithmic axis
    seen = [
        pixel(page, "loss", 5 * at + 2.5, value) == pytest.approx(orange, abs=40)
        for at, value in enumerate(between)
    ]
    assert 3 < sum(seen) < 12, "the line is dashed"
    scrub(page, 4)
    assert numbers(legend.inner_text())[-1] == pytest.approx(values[4], rel=1e-3)
    point(page, "#loss", 0.52)
    assert numbers(page.locator("#loss-reading").inner_text())[0] == 30
    assert numbers(legend.inner_text())[-1] == pytest.approx(values[6], rel=1e-3)


def test_other_metrics_have_small_charts_of_their_own(page: Page, tmp_path: Path) -> None:
    shown(page, tmp_path, reel_of("confidence"))
    figure = page.locator("#metric-charts figure")
    expect(figure).to_have_count(1)
    expect(figure.locator("figcaption")).to_have_text("accuracy")
    scrub(page, 3)
    assert numbers(figure.locator("p").inner_text()) == [15, 0.25]
    for at in (2.5, 32.5, 52.5):  # the accuracy rises evenly, by one in 60 steps
        red, _, blue = pixel(page, "small[0].chart", at, at / 60)
        assert blue > red + 50
    point(page, "#metric-charts figure", 0.5)
    assert numbers(figure.locator("p").inner_text())[1] == pytest.approx(0.5, abs=0.1)
    page.mouse.down()
    page.mouse.up()
    assert moment(page)[0] == 30


def test_a_loss_of_another_size_has_a_chart_of_its_own(page: Page, tmp_path: Path) -> None:
    reel = Reel(X, Y, every=1)
    for step in range(3):
        reel.frame(step, 0.1, np.sin, {"near_loss": 9, "far_loss": 11, "tiny_error": 1e-4})
    shown(page, tmp_path, reel)
    assert page.evaluate("besideLoss.map(({ name }) => name)") == ["near_loss"]
    names = page.locator("#metric-charts figcaption").all_inner_texts()
    assert names == ["far_loss", "tiny_error"]


def test_a_reel_without_metrics_has_no_place_for_them(page: Page, tmp_path: Path) -> None:
    shown(page, tmp_path, waves([1, 0.5]))
    expect(page.locator("#metrics")).to_be_hidden()
    assert page.locator("#legend-of-loss").inner_text().strip() == "loss"


def test_what_is_no_number_is_a_gap(page: Page, tmp_path: Path) -> None:
    reel = Reel(X, Y, every=1)
    for step in range(21):
        loss = {5: math.nan, 6: math.inf, 7: -math.inf, 15: math.nan, 17: math.nan}.get(step, 0.5)
        metrics = {"val_loss": math.nan if step == 10 else 0.25, "empty": math.nan}
        metrics["cost"] = math.nan if step == 12 else -2.0
        reel.frame(step, loss, np.sin, metrics)
    shown(page, tmp_path, reel)
    assert facts(page)[:2] == ["21 steps", "16 frames"]
    page.evaluate("() => { transport.move(0); }")

    def is_drawn(chart: str, step: float, value: float) -> bool:
        return min(pixel(page, chart, step, value)) < 150

    assert [is_drawn("loss", at, 0.5) for at in (2.5, 5.5, 6.5, 9.5, 14.5, 16, 18.5)] == [
        *(True, False, False, True, False),
        *(True, True),  # one that stands alone is a dot
    ]
    drawn = [is_drawn("small[1].chart", at, -2.0) for at in (10.3, 11.5, 12.5, 13.5)]
    assert drawn == [True, False, False, True]
    expect(page.locator("#metric-charts figure").first).to_contain_text("NaN")
    point(page, "#loss", 0.285)
    assert page.locator("#loss-reading").inner_text() == "step 5 loss NaN"


def test_steps_may_be_far_apart_and_a_press_finds_the_nearest_frame(
    page: Page, tmp_path: Path
) -> None:
    shown(page, tmp_path, waves([1, 0.5, 0.25], range(0, 30, 10)))
    assert facts(page)[:2] == ["3 steps, 0 to 20", "3 frames"]
    for across, step in ((0.45, 10), (0.05, 0), (0.95, 20)):
        point(page, "#loss", across)
        page.mouse.down()
        page.mouse.up()
        assert moment(page) == [step, {0: 1, 10: 0.5, 20: 0.25}[step]]


@pytest.mark.parametrize("step", [0, 7])
def test_a_single_frame_is_a_page(page: Page, tmp_path: Path, step: int) -> None:
    shown(page, tmp_path, waves([0.5], range(step, step + 1)))
    assert facts(page)[:2] == ["1 step", "1 frame"]
    assert moment(page) == [step, 0.5]
    page.locator("#play").click()
    assert moment(page) == [step, 0.5]


def test_many_frames_and_losses_are_thinned_and_keep_spikes_and_ends(
    page: Page, tmp_path: Path
) -> None:
    reel = Reel(X, Y, every=1, max_frames=2000)
    for step in range(2000):
        reel.frame(step, 1 / (step + 1), np.sin)
    for step in range(2000, 12_000):
        reel.point(step, {"loss": 30.0 if step == 7321 else 0.01, "lr": 5.0 if step == 7322 else 1})
    shown(page, tmp_path, reel)
    assert facts(page)[:2] == ["12,000 steps", "1,000 of 2,000 frames shown"]
    assert page.evaluate("[training.frameEpochs[0], training.frameEpochs[999]]") == [0, 1999]
    assert page.evaluate("epochs.length") <= MOST_LOSSES + 2
    assert page.evaluate("training.losses[epochs.indexOf(7321)]") == 30
    assert page.evaluate("Math.max(...metrics[0].values)") == 5
    assert (tmp_path / "player.html").stat().st_size < 1_500_000


@pytest.mark.parametrize("start", [10**12, -50])
def test_steps_and_losses_may_be_of_any_size(page: Page, tmp_path: Path, start: int) -> None:
    losses = [3.0, -1.0, -1e5]
    shown(page, tmp_path, waves(losses, range(start, start + 3)))
    for place, loss in enumerate(losses):
        scrub(page, place)
        assert moment(page) == [start + place, loss]
    # There is no logarithm of a loss below zero.
    expect(page.locator("#log")).not_to_be_checked()
    low, high = page.evaluate("[loss.scales.y.min, loss.scales.y.max]")
    assert low < -1e5 < 3 < high


@pytest.mark.parametrize("size", [1e-30, 1e-7, 1e30, 1e300])
def test_a_logarithmic_axis_has_numbers_for_losses_of_any_size(
    page: Page, tmp_path: Path, size: float
) -> None:
    shown(page, tmp_path, waves([size, size / 1000]))
    expect(page.locator("#log")).to_be_checked()
    labels = page.evaluate("loss.axes[1]._values.filter(Boolean)")
    assert [float(each.replace("−", "-")) for each in labels] == sorted(
        float(each.replace("−", "-")) for each in labels
    )
    assert len(labels) >= 2
    assert moment(page)[1] == pytest.approx(size / 1000, rel=1e-2)


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_the_numbers_of_an_axis_differ_for_data_of_any_size(
    page: Page, tmp_path: Path, size: float
) -> None:
    reel = Reel(X * size, Y * size, every=1)
    reel.frame(0, 1, lambda x: np.sin(x / size) * size)
    shown(page, tmp_path, reel)
    for axis in (0, 1):
        labels = page.evaluate(f"view.chart.axes[{axis}]._values")
        assert len(set(labels)) == len(labels) > 2
        assert all(len(each) < 9 for each in labels)
    point(page, "#fit", 0.5)
    x, y = numbers(page.locator("#fit-reading").inner_text())
    assert y == pytest.approx(math.sin(x / size) * size, rel=1e-2)


def test_more_metrics_than_a_page_has_room_for_are_counted(page: Page, tmp_path: Path) -> None:
    reel = Reel(X, Y, every=1)
    for step in range(3):
        reel.frame(step, 1, np.sin, {f"metric {place}": place for place in range(30)})
    shown(page, tmp_path, reel)
    expect(page.locator("#metric-charts figure")).to_have_count(MOST_METRICS)
    expect(page.locator("#missing-metrics")).to_have_text("24 of 30 metrics shown")


# ---- what comes from outside


def test_names_stay_text(page: Page, tmp_path: Path) -> None:
    hostile = '<b>"x"</b> </script> \u202e' + 100 * "x"
    reel = Reel(X, Y, names=[hostile], target=hostile, every=1)
    reel.frame(0, 1, np.sin, {hostile: 1, f"loss {hostile}": 1, "constructor": 2})
    write_reel_player(reel, tmp_path / "player.html", "<i>name</i>")
    opened(page, tmp_path / "player.html")
    assert page.locator("h1").inner_text() == "<i>name</i>"
    assert page.locator("#metric-charts figcaption").first.inner_text().startswith("<b>")
    expect(page.locator("#legend-of-loss")).to_contain_text("loss <b>")
    point(page, "#fit", 0.5)
    assert page.locator("main i, main figcaption b").all_inner_texts() == 5 * [""]


def test_rows_of_hundreds_of_classes_are_right_or_wrong(page: Page, tmp_path: Path) -> None:
    targets = np.arange(600) % 300
    x = np.stack([targets, np.zeros(600), np.ones(600)], axis=1)
    reel = Reel(x, targets, classes=range(300), every=1)

    def model(inputs: Any) -> Any:
        predicted = inputs[:, 0].astype(int)
        return np.eye(300)[np.where(predicted == 299, 0, predicted)]

    reel.frame(0, 1, model)
    shown(page, tmp_path, reel)
    rows = page.evaluate("rowPlaces(training).filter((row) => training.isWrong(0, row)).length")
    kept = reel.dataset.y[torch.from_numpy(reel.probes.training)]
    assert rows == int((kept == 299).sum()) > 0


def test_pictures_are_rows_of_many_features(page: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures, targets = rng.normal(size=(50, 1, 8, 8)), np.arange(50) % 12
    reel = Reel(pictures, targets, classes=[f"kind {place}" for place in range(12)], every=1)
    shapes = set[tuple[int, ...]]()

    def model(inputs: Any) -> Any:
        shapes.add(inputs.shape)
        return turns(12, inputs)

    reel.frame(0, 1, model)
    shown(page, tmp_path, reel)
    assert shapes == {(50, 1, 8, 8)}
    assert facts(page)[2:] == ["64 features", "50 training rows"]
    expect(page.locator("#kind")).to_have_text("Probability of the true class")
    # Ten colours, then the first again.
    hues = page.evaluate("training.classes.map((_, place) => training.hue(place))")
    assert hues[10:] == hues[:2]
    assert len(set(hues)) == 10


def test_a_reel_without_a_frame_has_no_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frame yet"):
        Reel(X, Y).write_player(tmp_path / "player.html")


def test_a_reel_whose_losses_are_missing_has_those_of_its_frames(
    page: Page, tmp_path: Path
) -> None:
    whole = waves([1.0, 0.5])
    reel = Reel.of(whole.dataset, whole.probes)
    for frame in whole.frames:
        reel.add(frame)
    shown(page, tmp_path, reel)
    assert page.evaluate("[[...epochs], [...training.losses]]") == [[0, 1], [1, 0.5]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_needs_no_sideways_scrolling(
    browser: Browser, tmp_path: Path, scheme: Any
) -> None:
    reel_of("regions").write_player(tmp_path / "player.html")
    viewport: Any = {"width": 380, "height": 800}
    with errorless(browser, viewport=viewport, color_scheme=scheme) as page:
        page.goto((tmp_path / "player.html").as_uri())
        assert page.evaluate("document.scrollingElement.scrollWidth") == 380


def test_a_page_holds_what_it_says(tmp_path: Path) -> None:
    reel_of("agreement").write_player(tmp_path / "player.html", "digits")
    found = data((tmp_path / "player.html").read_text())
    assert (found["name"], found["step_name"], found["last_step"]) == ("digits", "step", 60)
    assert [each["name"] for each in found["metrics"]] == ["val_loss", "accuracy"]
