"""The pages of trainings on tables in a real browser: player and comparison of all kinds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from playwright.sync_api import Page, expect

from fitreel.comparison.grid import GridCamera, render_grid
from fitreel.comparison.runs import compare
from fitreel.pages.coarse_grid import GRID
from fitreel.pages.comparison import write_comparison
from fitreel.pages.data import in_raw_units
from fitreel.pages.player import write_player
from fitreel.pictures.backdrop import rgb
from fitreel.reel.of_history import record, record_frames
from fitreel.reel.probes import probes_of
from tests.browser import is_red, numbers, pixel, scrub
from tests.kinds import KINDS, dataset_of, history_of, run_of
from tests.test_views import hostile

SHOWN = "[...training.at(transport.place)].map((each) => training.number(each))"
MARK = """(wanted) => {
    const { chart } = view, { x, y } = chart.marks.find(({ row }) => row === wanted);
    return [x - chart.bbox.left, y - chart.bbox.top].map((each) => each / devicePixelRatio);
}"""
TABLES = [kind for kind in KINDS if kind != "curve"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("players")
    for kind in KINDS:
        write_player(dataset_of(kind), history_of(kind, 995), folder / f"{kind}.html", kind)
    return folder


@pytest.fixture(params=TABLES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(page: Page, path: Path) -> Page:
    """Open a page; assert that it requests nothing else."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    return page


@pytest.mark.parametrize("each", KINDS)
def test_a_player_stays_small(folder: Path, each: str) -> None:
    assert (folder / f"{each}.html").stat().st_size < 1_500_000


def test_the_player_shows_both_losses_of_each_frame(page: Page, folder: Path, kind: str) -> None:
    opened(page, folder / f"{kind}.html")
    reel = record(dataset_of(kind), history_of(kind, 995), 200)
    assert reel.test_losses is not None
    for place, frame in ((0, 0), (page.evaluate("transport.last"), 199)):
        scrub(page, place)
        epoch, loss, test = numbers(page.locator("#moment").inner_text())
        assert epoch == reel.epochs[frame]
        assert loss == pytest.approx(reel.losses[frame], abs=1e-4, rel=1e-5)
        assert test == pytest.approx(reel.test_losses[frame], abs=1e-4, rel=1e-5)
    expect(page.locator("#legend-of-view")).to_contain_text("test row")


@pytest.mark.parametrize("each", ["agreement", "confidence"])
def test_the_predictions_of_a_player_are_right_within_half_a_pixel(
    page: Page, folder: Path, each: str
) -> None:
    opened(page, folder / f"{each}.html")
    dataset = dataset_of(each)
    reel = record(dataset, history_of(each, 995), 200)
    shown = np.array(
        page.evaluate("[...training.at(transport.place)].map((q) => training.number(q))")
    )
    wanted = reel.predictions[-1]
    if dataset.classes:
        assert dataset.test
        truth = torch.cat([dataset.y, dataset.test.y]).numpy()
        wanted = wanted[np.arange(len(truth)), truth]
    height = page.evaluate("view.chart.bbox.height")
    low, high = page.evaluate("[view.chart.scales.y.min, view.chart.scales.y.max]")
    inside = (wanted > low) & (wanted < high)
    assert inside.sum() > 100
    error = np.abs(shown - wanted)[inside] * height / (high - low)
    assert error.max() < 0.5


@pytest.mark.parametrize("each", ["field", "regions"])
def test_the_contours_of_a_player_are_right_within_half_a_pixel(
    page: Page, folder: Path, each: str
) -> None:
    """Compare with the numbers of the grid before they are quantised, where these change least."""
    opened(page, folder / f"{each}.html")
    dataset, history = dataset_of(each), history_of(each, 995)
    reel = record_frames(dataset, history, np.array([199]), probes_of(dataset, GRID))
    wanted = reel.in_space(0) if each == "field" else reel.in_space(0)[:, 1]
    shown = np.array(
        page.evaluate("[...training.at(transport.place)].map((q) => training.number(q))")
    )
    low, high = page.evaluate("[training.low, training.high]")
    wanted = np.clip(wanted, low, high)
    # The width in which a contour can be wrong: the error over the slope, here of a pixel.
    across, up = GRID
    slopes = np.abs(np.diff(wanted.reshape(up, across), axis=1))
    pixels = page.evaluate("view.chart.bbox.width") / (across - 1)
    error = np.abs(shown - wanted).max()
    steep = slopes[slopes > 1e-3 * (high - low)]
    assert len(steep) > 100
    assert (error * pixels / steep).max() < 0.5


def test_the_field_of_a_player_has_the_colours_of_its_bands(page: Page, folder: Path) -> None:
    opened(page, folder / "field.html")
    dataset, network = dataset_of("field"), history_of("field", 995).frames[-1]
    levels, hues = page.evaluate("[training.levels, training.hues]")
    probes = probes_of(dataset, GRID)
    inputs = probes.inputs[: probes.places][400::37]
    right = []
    for place, predicted in zip(inputs.tolist(), network.predict(inputs).tolist(), strict=True):
        band = int(np.clip(np.searchsorted(levels, predicted) - 1, 0, len(hues) - 1))
        wanted = np.array(to_rgb(hues[band])) * 255
        right.append(pixel(page, "view.chart", *place) == pytest.approx(wanted, abs=3))
    assert len(right) > 50
    assert np.mean(right) > 0.75, "the others are beneath rows, on contour lines or at the edge"


def test_what_is_under_the_mouse_is_the_prediction(page: Page, folder: Path, kind: str) -> None:
    opened(page, folder / f"{kind}.html")
    dataset, network = dataset_of(kind), history_of(kind, 995).frames[-1]
    area = page.locator("#fit .u-over").bounding_box()
    assert area
    if kind in ("field", "regions"):
        page.mouse.move(area["x"] + 0.4 * area["width"], area["y"] + 0.45 * area["height"])
        first, second, found = numbers(page.locator("#fit-reading").inner_text())
        predicted = network.predict(torch.tensor([[first, second]]))[0].numpy()
        wanted = 100 * predicted.max() if dataset.classes else predicted
        assert found == pytest.approx(wanted, abs=2)  # straight lines between the places
        expect(page.locator("#fit-reading")).to_contain_text(dataset.features[0])
        return
    row = 17
    x, y = page.evaluate(MARK, row)
    page.mouse.move(area["x"] + x, area["y"] + y)
    reading = page.locator("#fit-reading").inner_text()
    assert reading.startswith("training row")
    predicted = network.predict(dataset.inputs[row : row + 1])[0].numpy()
    if dataset.classes:
        assert numbers(reading)[-1] == pytest.approx(100 * predicted[dataset.y[row]], abs=3)
    else:
        assert numbers(reading)[0] == pytest.approx(dataset.y[row].item(), abs=3)
        assert numbers(reading)[1] == pytest.approx(predicted, abs=12)


def test_the_player_of_one_scaled_feature_is_in_raw_units(page: Page, folder: Path) -> None:
    opened(page, folder / "curve.html")
    network = history_of("curve", 995).frames[-1]
    x = torch.tensor([20.0, 25.0, 31.5])
    for place, y in zip(x.tolist(), network.predict(x).tolist(), strict=True):
        assert is_red(pixel(page, "fit", place, y))
    area = page.locator("#fit .u-over").bounding_box()
    assert area
    page.mouse.move(area["x"] + 0.5 * area["width"], area["y"] + 50)
    bmi, progression = numbers(page.locator("#fit-reading").inner_text())
    assert progression == pytest.approx(network.predict(torch.tensor([bmi])).item(), abs=1e-2)
    expect(page.locator("#fit-reading")).to_contain_text("predicted progression")
    expect(page.locator("#whatif")).to_be_hidden()
    expect(page.locator(".for-test").first).to_be_visible()


def test_folded_weights_predict_what_scaled_ones_do() -> None:
    frames = history_of("curve").frames
    x = torch.linspace(18, 42, 50)
    assert in_raw_units(frames).scaling is None
    folded, scaled = in_raw_units(frames).predict(x), frames.predict(x)
    assert folded.numpy() == pytest.approx(scaled.numpy(), abs=1e-2)


def test_names_from_files_stay_text_in_the_player(page: Page, tmp_path: Path) -> None:
    write_player(hostile(), history_of("regions"), tmp_path / "player.html", "<b>x</b>")
    opened(page, tmp_path / "player.html")
    expect(page.locator("#legend-of-view")).to_contain_text("<b>")
    assert page.locator("main b").all_inner_texts() == ["×"]


def test_a_comparison_shows_runs_of_all_kinds_in_step(page: Page, tmp_path: Path) -> None:
    runs = [run_of(kind, place) for place, kind in enumerate(KINDS)]
    write_comparison(compare(runs), tmp_path / "compare.html")
    opened(page, tmp_path / "compare.html")
    scrub(page, 0)
    for place, kind in enumerate(KINDS):
        reel = record(dataset_of(kind), history_of(kind), 200)
        assert reel.test_losses is not None
        text = page.locator("#cells .moment").nth(place).inner_text()
        loss, test = reel.losses[0], reel.test_losses[0]
        assert numbers(text) == pytest.approx([0, loss, test], abs=1e-4, rel=1e-5)
    page.locator("#legend button").first.click()
    expect(page.locator("#cells figure").first).to_be_hidden()


def test_a_comparison_without_curves_has_no_fits(page: Page, tmp_path: Path) -> None:
    runs = [run_of("field", 0), run_of("regions", 1)]
    write_comparison(compare(runs), tmp_path / "compare.html")
    opened(page, tmp_path / "compare.html")
    expect(page.locator("#fits")).to_be_hidden()
    expect(page.locator("#losses")).to_be_visible()


def test_a_grid_shows_runs_of_all_kinds_in_one_film(tmp_path: Path) -> None:
    runs = [run_of(kind, place) for place, kind in enumerate(KINDS)]
    render_grid(compare(runs), tmp_path / "compare.gif")
    films = [record(run.dataset, run.history, 13) for run in runs]
    camera = GridCamera(films, KINDS)
    first, last = rgb(camera.shoot(0)).astype(int).copy(), rgb(camera.shoot(12)).astype(int)
    changed = (first != last).any(axis=-1)
    for cell in camera.cells:
        box, height = cell.axes.bbox, camera.size[1]
        inside = changed[height - int(box.y1) : height - int(box.y0), int(box.x0) : int(box.x1)]
        assert inside.sum() > 200
