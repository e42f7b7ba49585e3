"""The player in a real browser, opened from disk."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.pages.player import write_player
from fitreel.settings import ActivationName, DataSettings, TrainingSettings
from fitreel.training.history import History
from fitreel.training.loop import fit
from tests.browser import errorless, is_red, numbers, pixel, scrub, smallest_text, until

NAME = "relu20 & <b>co</b><img src=x onerror=alert(1)>"
FLOOR = 0.2**2 / 12
FRAME = 40


@pytest.fixture(scope="module")
def history(dataset: Dataset) -> History:
    """Train the original's experiment: 201 frames."""
    return fit(dataset).history


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, history: History) -> Path:
    path = tmp_path_factory.mktemp("player") / "player.html"
    write_player(dataset, history, path, NAME, FLOOR)
    return path


@pytest.fixture
def player(page: Page, path: Path) -> Page:
    """Open the page; assert that it requests nothing else."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    return page


def point_at(page: Page, chart: str, across: float, down: float = 0.5) -> None:
    box = page.locator(f"#{chart} .u-over").bounding_box()
    assert box
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])


def reading(page: Page, name: str) -> list[float]:
    return numbers(page.locator(f"#{name}").inner_text())


def test_the_player_opens_at_the_end_of_the_training(player: Page, history: History) -> None:
    assert reading(player, "moment") == [1000, pytest.approx(history.trained_loss, abs=1e-4)]
    expect(player.locator("h1")).to_have_text(NAME)  # as text
    assert player.locator("img").count() == 0


def test_scrubbing_moves_line_cursor_and_numbers(player: Page, history: History) -> None:
    x = torch.tensor([-0.9, -0.3, 0.4, 0.9])
    for frame in (0, FRAME, 200):
        scrub(player, frame)
        epoch = 5 * frame
        assert reading(player, "moment") == [epoch, pytest.approx(history.curve[epoch], abs=1e-4)]
        for place, y in zip(x.tolist(), history.frames[frame].predict(x).tolist(), strict=True):
            assert is_red(pixel(player, "fit", place, y))
        assert is_red(pixel(player, "loss", epoch, history.curve[epoch]))
        assert not is_red(pixel(player, "loss", (epoch + 500) % 1000, 0.05))


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_the_value_under_the_mouse_is_the_prediction(
    page: Page, tmp_path: Path, activation: ActivationName
) -> None:
    points = generate(DataSettings(function="sine", x_min=-3, x_max=2))
    settings = TrainingSettings(activation=activation, optimizer="adam", lr=0.03, epochs=300)
    history = fit(points, settings).history
    write_player(points, history, tmp_path / "player.html")
    page.goto((tmp_path / "player.html").as_uri())
    for frame in (0, 59):
        scrub(page, frame)
        for across in (0.06, 0.33, 0.5, 0.77, 0.93):
            point_at(page, "fit", across)
            x, y = reading(page, "fit-reading")
            expected = history.frames[frame].predict(torch.tensor([x], dtype=torch.float32))
            assert y == pytest.approx(expected.item(), abs=1e-4)
        point_at(page, "contributions", 0.5)  # the other chart over x shows the same
        assert reading(page, "fit-reading")[0] == pytest.approx(-0.5, abs=0.02)


@pytest.mark.parametrize("last", [9e-3, 0.0163, 0.017, 0.099, 0.1, 1e-9, 1e-12])
def test_an_axis_of_losses_can_start_at_any_value(page: Page, tmp_path: Path, last: float) -> None:
    """With a lower end of 0.0096, uPlot once made ticks in an endless loop."""
    points = generate(DataSettings(samples=20))
    history = fit(points, TrainingSettings(epochs=10)).history
    losses = np.geomspace(0.5, last, 10)
    write_player(points, replace(history, losses=losses), tmp_path / "player.html")
    page.goto((tmp_path / "player.html").as_uri())
    low, high = page.evaluate("[loss.scales.y.min, loss.scales.y.max]")
    assert 0 < low <= last
    assert high >= 0.5


def test_the_keyboard_plays_steps_and_jumps(player: Page) -> None:
    player.keyboard.press("Home")
    assert reading(player, "moment")[0] == 0
    player.keyboard.press("ArrowRight")
    player.keyboard.press("ArrowRight")
    player.keyboard.press("ArrowLeft")
    assert reading(player, "moment")[0] == 5
    player.keyboard.press("Space")
    until(player, "transport.place > 4")
    player.keyboard.press("Space")
    paused = reading(player, "moment")[0]
    player.wait_for_timeout(300)
    assert reading(player, "moment")[0] == paused < 1000
    player.keyboard.press("End")
    assert reading(player, "moment")[0] == 1000


def test_the_player_plays_to_the_end_and_stops(player: Page) -> None:
    scrub(player, 0)
    player.get_by_role("button", name="Play").click()
    expect(player.get_by_role("button", name="Pause")).to_be_visible()
    player.locator("#speed").select_option("4")
    expect(player.get_by_role("button", name="Play")).to_be_visible()
    assert reading(player, "moment")[0] == 1000
    player.locator("#speed").select_option("1")
    player.get_by_role("button", name="Play").click()  # and again from the start
    until(player, "transport.place < 150")
    player.get_by_role("button", name="Step forward").click()
    expect(player.get_by_role("button", name="Play")).to_be_visible()


def test_the_space_bar_starts_playing_once_if_the_button_has_the_focus(player: Page) -> None:
    player.get_by_role("button", name="Play").focus()
    player.keyboard.press("Space")
    until(player, "transport.place > 2 && transport.place < 200")
    assert player.evaluate("transport.playing")


def test_a_click_on_the_loss_curve_jumps_there(player: Page) -> None:
    box = player.locator("#loss .u-over").bounding_box()
    assert box
    player.mouse.click(box["x"] + 0.302 * box["width"], box["y"] + 20)
    assert reading(player, "moment")[0] == pytest.approx(300, abs=5)
    point_at(player, "loss", 0.5)
    assert reading(player, "loss-reading")[0] == pytest.approx(500, abs=5)


def test_the_loss_axis_can_be_logarithmic_or_linear(player: Page, history: History) -> None:
    for is_log in (True, False):
        player.locator("#log").set_checked(is_log)
        assert player.evaluate("loss.scales.y.distr") == (3 if is_log else 1)
        floor = player.evaluate("colours.floor")
        expected = tuple(int(floor[at : at + 2], 16) for at in (1, 3, 5))
        shown = [pixel(player, "loss", epoch, FLOOR) for epoch in range(600, 640, 2)]
        near = [np.abs(np.subtract(colour, expected)).max() < 60 for colour in shown]
        assert any(near)  # the noise floor, a dashed line
        scrub(player, FRAME)
        assert is_red(pixel(player, "loss", 5 * FRAME, history.losses[5 * FRAME]))


def test_dead_neurons_are_counted_and_grey(
    player: Page, dataset: Dataset, history: History
) -> None:
    for frame in (0, 200):
        scrub(player, frame)
        dead = history.frames[frame].dead(dataset.x)
        assert reading(player, "dead")[0] == int(dead.sum()) > 0
        names = player.locator("#chips .dead").all_inner_texts()
        assert [int(name) for name in names] == dead.nonzero()[:, 0].tolist()


def test_a_picked_neuron_is_highlighted_in_every_view(player: Page, history: History) -> None:
    scrub(player, 200)
    weights, neuron = history.frames[200], 9  # active left of its kink, which is in the chart
    player.get_by_role("button", name=f"neuron {neuron}", exact=True).click()
    ink = (31, 36, 48)
    kink = (-weights.bias[neuron] / weights.input_weight[neuron]).item()
    shown = numbers(player.locator("#picked").inner_text())
    numbers_of_it = (
        weights.input_weight[neuron],
        weights.bias[neuron],
        weights.output_weight[neuron],
    )
    assert shown == pytest.approx(
        [neuron, *(each.item() for each in numbers_of_it), kink], rel=1e-3
    )
    # Its line in the chart of contributions; its kink as a tick there and as a line in the fit.
    added = (
        weights.output_weight[neuron] * (weights.input_weight[neuron] * -0.8 + weights.bias[neuron])
    ).item()
    assert pixel(player, "contributions", -0.8, added) == ink
    bottom = player.evaluate("contributions.scales.y.min")
    top = player.evaluate("contributions.scales.y.max")
    assert pixel(player, "contributions", kink, bottom + 0.02 * (top - bottom)) == ink
    # The area of its contribution to the fit is tinted.
    line = weights.predict(torch.tensor([-0.8])).item()
    tinted, plain = pixel(player, "fit", -0.83, line - added / 2), (0, 0, 0)
    assert tinted != plain
    player.get_by_role("button", name=f"neuron {neuron}", exact=True).click()
    assert pixel(player, "fit", -0.83, line - added / 2) == plain


def test_a_click_on_a_line_picks_its_neuron(player: Page, history: History) -> None:
    scrub(player, 200)
    weights = history.frames[200]
    at_left = weights.output_weight * torch.relu(weights.bias - 0.95 * weights.input_weight)
    neuron = int(at_left.argmax())  # the highest line there does not touch another
    left, top = player.evaluate(
        "([x, y]) => [contributions.valToPos(x, 'x'), contributions.valToPos(y, 'y')]",
        [-0.95, at_left[neuron].item()],
    )
    player.locator("#contributions .u-over").click(position={"x": left, "y": top + 4})
    assert numbers(player.locator("#picked").inner_text())[0] == neuron
    chip = player.get_by_role("button", name=f"neuron {neuron}", exact=True)
    expect(chip).to_have_attribute("aria-pressed", "true")


def test_smooth_activations_have_no_kinks(page: Page, tmp_path: Path, dataset: Dataset) -> None:
    history = fit(dataset, TrainingSettings(activation="tanh", epochs=20)).history
    write_player(dataset, history, tmp_path / "player.html")
    page.goto((tmp_path / "player.html").as_uri())
    expect(page.locator("#dead")).to_have_text("20 neurons")
    expect(page.get_by_text("kink, where a neuron begins")).to_be_hidden()


@pytest.fixture(params=[(400, "light"), (400, "dark"), (1280, "dark")], ids=str)
def other_screen(
    request: pytest.FixtureRequest, browser: Browser, path: Path
) -> Iterator[tuple[Page, int, str]]:
    width, scheme = request.param
    viewport = {"width": width, "height": 800}
    with errorless(browser, viewport=viewport, color_scheme=scheme) as page:
        page.goto(path.as_uri())
        yield page, width, scheme


def test_the_page_is_readable_on_other_screens(other_screen: tuple[Page, int, str]) -> None:
    page, width, scheme = other_screen
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert smallest_text(page) >= 12
    paper = numbers(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (sum(paper) < 3 * 60) == (scheme == "dark")


def test_the_page_of_the_default_run_is_small(path: Path) -> None:
    assert path.stat().st_size < 1_500_000


def test_long_and_wide_trainings_are_thinned(page: Page, tmp_path: Path) -> None:
    points = generate(DataSettings(samples=4_500))
    settings = TrainingSettings(hidden=512, epochs=150, lr=0.001, frame_every=1)
    history = fit(points, settings).history
    path = tmp_path / "player.html"
    write_player(points, history, path)
    assert path.stat().st_size < 1_500_000
    page.goto(path.as_uri())
    expect(page.locator("#facts")).to_contain_text("4,000 of 4,500 points shown")
    assert reading(page, "moment")[0] == 150
    page.keyboard.press("Home")
    assert reading(page, "moment")[0] == 0


def test_the_smallest_possible_training_is_shown(page: Page, tmp_path: Path) -> None:
    points = generate(DataSettings(samples=2))
    history = fit(points, TrainingSettings(hidden=1, epochs=1)).history
    write_player(points, history, tmp_path / "player.html")
    page.goto((tmp_path / "player.html").as_uri())
    assert reading(page, "moment")[0] == 1
    page.keyboard.press("Home")
    assert reading(page, "moment")[0] == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert reading(page, "moment")[0] == 1
