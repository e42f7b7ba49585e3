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
from fitreel.settings import ActivationName, DataSettings, LossName, TrainingSettings
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
    write_player(dataset, history, path, NAME, FLOOR, [TrainingSettings(), DataSettings()])
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
    area = page.locator(f"#{chart} .u-over")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
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
    kink = (-weights.bias[neuron] / weights.input_weight[neuron, 0]).item()
    parts = (weights.output_weight[0], weights.input_weight[:, 0], weights.bias)
    output, inner, bias = (each[neuron].item() for each in parts)
    assert bias < 0  # its sign is that of the formula
    formula = f"{output:.3f} · relu({inner:.3f} x − {-bias:.3f})".replace("-", "−")
    assert player.locator("#picked .formula").inner_text() == formula
    kink_text = f"Active to the left of its kink at x −{-kink:.3f}."
    expect(player.locator("#picked")).to_contain_text(kink_text)
    # Its line in the chart of contributions; its kink as a tick there and as a line in the fit.
    added = (
        weights.output_weight[0, neuron]
        * (weights.input_weight[neuron, 0] * -0.8 + weights.bias[neuron])
    ).item()
    assert pixel(player, "contributions", -0.8, added) == ink
    bottom = player.evaluate("contributions.scales.y.min")
    top = player.evaluate("contributions.scales.y.max")
    assert pixel(player, "contributions", kink, bottom + 0.02 * (top - bottom)) == ink
    # The area of its contribution to the fit is tinted.
    line = weights.predict(torch.tensor([-0.8])).item()
    tinted, plain = pixel(player, "fit", -0.83, line - added / 2), (0, 0, 0)
    assert tinted != plain
    expect(player.locator("#fit .legend")).to_contain_text(f"without neuron {neuron}")
    expect(player.locator("#fit .legend")).to_contain_text(f"what neuron {neuron} adds")
    player.get_by_role("button", name=f"neuron {neuron}", exact=True).click()
    assert pixel(player, "fit", -0.83, line - added / 2) == plain
    expect(player.locator("#without")).to_be_hidden()


def test_the_header_has_the_settings(player: Page) -> None:
    expect(player.locator("#facts")).to_have_text(
        "relu, 20 hidden neurons · sgd, lr 0.1 · seed 72 · 1,000 epochs · "
        "100 points: quadratic, noise 0.2, data seed 0"
    )


def test_the_life_of_a_neuron_is_described(
    player: Page, dataset: Dataset, history: History
) -> None:
    dead = history.frames.dead(dataset.x)  # (frames, neurons)
    at_end, ever = dead[-1], dead.any(dim=0)
    died = next(n for n in range(20) if at_end[n] and not dead[0, n])
    (epochs,) = np.nonzero(~dead[:, died].numpy())
    death = int(history.frame_epochs[epochs[-1] + 1])
    last = history.frames[-1]
    kinks = -last.bias / last.input_weight[:, 0]
    outside = next(n for n in range(20) if not ever[n] and kinks[n].abs() > 1)
    always_dead = next(n for n in range(20) if dead[:, n].all())
    for neuron, sentence in (
        (died, f"Died at epoch {death}: no row activates it any more."),
        (outside, "Always active: its kink lies outside, so it adds a straight line."),
        (always_dead, "Dead from the start: no row activates it."),
    ):
        player.locator("#chips button").nth(neuron).click()
        expect(player.locator("#picked")).to_contain_text(sentence)
        assert player.locator("#dead-epochs").is_visible() == bool(ever[neuron])
        assert player.locator("#its-kink").is_visible() == bool(kinks[neuron].abs() <= 1)
    player.locator("#chips button").nth(died).click()
    scrub(player, 0)
    expect(player.locator("#picked")).to_contain_text(f"Dies at epoch {death}.")


def test_a_neuron_that_comes_back_is_dead_for_now(page: Page, tmp_path: Path) -> None:
    points = generate(DataSettings(samples=10))
    history = fit(points, TrainingSettings(hidden=1, epochs=2, frame_every=1)).history
    bias = torch.tensor([[5.0], [-5.0], [5.0]])
    frames = replace(history.frames, bias=bias, input_weight=torch.ones(3, 1, 1))
    write_player(points, replace(history, frames=frames), tmp_path / "player.html")
    page.goto((tmp_path / "player.html").as_uri())
    scrub(page, 1)
    page.locator("#chips button").click()
    expect(page.locator("#picked")).to_contain_text(
        "Dead for now: no row activates it until epoch 2."
    )


@pytest.mark.parametrize(
    ("loss", "words"), [("mae", "The mean of the distances"), ("huber", "of short ones the square")]
)
def test_the_words_explain_the_loss_of_the_run(
    page: Page, dataset: Dataset, tmp_path: Path, loss: LossName, words: str
) -> None:
    history = fit(dataset, loss=loss, epochs=3).history
    write_player(dataset, history, tmp_path / "player.html")
    page.goto((tmp_path / "player.html").as_uri())
    assert words in (page.locator("#meaning-of-loss").text_content() or "")


def test_the_question_mark_explains_the_words(player: Page) -> None:
    words = player.get_by_role("dialog", name="What the words mean")
    expect(words).to_be_hidden()
    player.locator("#chips button").first.click()
    player.get_by_role("button", name="What the words mean").focus()
    player.keyboard.press("Enter")
    expect(words).to_be_visible()
    for word in ("Kink", "Dead neuron", "Noise floor"):
        expect(words.get_by_role("term").filter(has_text=word)).to_be_visible()
    expect(words).to_contain_text("The mean of the squared distances, measured upwards")
    player.keyboard.press("Escape")
    expect(words).to_be_hidden()
    assert player.evaluate("picked") == 0  # escape closed the words, and nothing else
    player.keyboard.press("Escape")
    assert player.evaluate("picked") is None


def test_the_page_works_in_a_sandbox_that_allows_scripts_alone(page: Page, path: Path) -> None:
    page.set_content('<iframe sandbox="allow-scripts" width="900" height="700"></iframe>')
    page.locator("iframe").evaluate("(frame, html) => (frame.srcdoc = html)", path.read_text())
    inner = page.frame_locator("iframe")
    inner.get_by_role("button", name="What the words mean").click()
    expect(inner.get_by_role("dialog", name="What the words mean")).to_be_visible()
    inner.get_by_role("button", name="Close").click()
    expect(inner.get_by_role("dialog", name="What the words mean")).to_be_hidden()
    inner.get_by_role("button", name="Remove the last neuron").click()
    expect(inner.locator("#sum-reading")).to_contain_text("19 of 20 neurons")


CLICKED = {
    "a chip": "#chips button >> nth=3",
    "a step": "#back",
    "the slider": "#scrub",
    "a switch": "#log",
    "a chart": "#contributions .u-over",
    "the loss": "#loss .u-over",
    "a row of the sum": "#order button >> nth=2",
    "the slider of the sum": "#count",
}


@pytest.mark.parametrize("clicked", CLICKED.values(), ids=CLICKED.keys())
def test_keys_do_the_same_after_any_click(player: Page, clicked: str) -> None:
    player.locator(clicked).click()
    before = player.evaluate("[byId('log').checked, byId('speed').value, added]")
    picked = player.evaluate("picked")
    player.keyboard.press("Home")
    for _ in range(3):
        player.keyboard.press("ArrowRight")
    player.keyboard.press("ArrowLeft")
    assert player.evaluate("transport.place") == 2
    player.keyboard.press("Space")
    until(player, "transport.place > 3")
    player.keyboard.press("Space")
    assert not player.evaluate("transport.playing")
    # The space bar pressed nothing but play.
    assert player.evaluate("[byId('log').checked, byId('speed').value, added]") == before
    assert player.evaluate("picked") == picked
    player.keyboard.press("Escape")
    assert player.evaluate("picked") is None


def test_keys_do_the_same_after_the_speed_was_chosen(player: Page) -> None:
    player.locator("#speed").focus()
    player.locator("#speed").select_option("2")
    player.keyboard.press("ArrowLeft")
    assert player.evaluate("transport.place") == 199
    player.keyboard.press("Home")
    player.keyboard.press("Space")
    until(player, "transport.place > 3")
    assert player.locator("#speed").input_value() == "2"


def test_keys_write_into_a_text_field(player: Page) -> None:
    player.evaluate("document.querySelector('main').append(element('input', { id: 'text' }))")
    player.locator("#text").focus()
    player.keyboard.type("a b-c+")
    player.keyboard.press("Home")
    assert player.locator("#text").input_value() == "a b-c+"
    assert player.evaluate("[transport.playing, transport.place, added]") == [False, 200, 20]


def test_enter_presses_switches(player: Page) -> None:
    player.locator("#log").focus()
    player.keyboard.press("Enter")
    expect(player.locator("#log")).not_to_be_checked()


def partial_sum(history: History, frame: int, count: int, x: torch.Tensor) -> torch.Tensor:
    """Compute the line of the largest neurons and the output bias, by their mean over the range."""
    weights = history.frames[frame]
    line = torch.linspace(-1, 1, 400)
    sizes = (torch.relu(weights.hidden_inputs(line)) * weights.output_weight[0]).abs().mean(dim=0)
    kept = sizes.argsort(descending=True)[:count]
    parts = torch.relu(weights.hidden_inputs(x)) * weights.output_weight[0]
    return parts[:, kept].sum(dim=1) + weights.output_bias


def test_neurons_are_added_to_the_sum_by_size(
    player: Page, dataset: Dataset, history: History
) -> None:
    x = torch.tensor([-0.8, 0.05, 0.7])
    player.locator("#sum").scroll_into_view_if_needed()
    for frame, count in ((200, 20), (200, 3), (40, 7), (0, 0)):
        scrub(player, frame)
        player.locator("#count").fill(str(count))
        for place, y in zip(x.tolist(), partial_sum(history, frame, count, x), strict=True):
            assert is_red(pixel(player, "sumChart", place, y.item()))
        error = partial_sum(history, frame, count, dataset.x) - dataset.y
        shown = reading(player, "sum-reading")
        assert shown == [count, 20, pytest.approx(error.square().mean().item(), abs=1e-4)]
        assert player.locator("#order .in").count() == count
    player.keyboard.press("+")
    player.keyboard.press("+")
    player.keyboard.press("-")
    assert reading(player, "sum-reading")[0] == 1
    player.locator("#order button").nth(4).click()
    assert reading(player, "sum-reading")[0] == 5
    first = player.locator("#order button").first.inner_text()
    weights = history.frames[0]
    neuron = int(numbers(first)[0])
    assert f"{weights.output_weight[0, neuron]:.3f} · relu(".replace("-", "−") in first


def test_the_sum_adds_neurons_until_the_line_is_complete(page: Page, tmp_path: Path) -> None:
    points = generate(DataSettings(samples=20))
    history = fit(points, TrainingSettings(hidden=3, epochs=5)).history
    write_player(points, history, tmp_path / "player.html")
    page.goto((tmp_path / "player.html").as_uri())
    page.get_by_role("button", name="add one by one").click()
    assert reading(page, "sum-reading")[0] == 0
    until(page, "added === 2")
    until(page, "added === 3 && adding === null")
    expect(page.get_by_role("button", name="add one by one")).to_be_visible()
    assert reading(page, "sum-reading")[-1] == reading(page, "moment")[-1]


def test_a_click_on_a_line_picks_its_neuron(player: Page, history: History) -> None:
    scrub(player, 200)
    weights = history.frames[200]
    inputs = weights.bias - 0.95 * weights.input_weight[:, 0]
    at_left = weights.output_weight[0] * torch.relu(inputs)
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
    expect(page.get_by_text("kink, where a neuron starts or stops")).to_be_hidden()
    centres = (-history.frames[-1].bias / history.frames[-1].input_weight[:, 0]).tolist()
    for neuron, sentence in (
        (next(place for place, x in enumerate(centres) if abs(x) < 1), "It is steepest at x "),
        (next(place for place, x in enumerate(centres) if abs(x) > 1), "It is steepest outside"),
    ):
        page.get_by_role("button", name=f"neuron {neuron}", exact=True).click()
        expect(page.locator("#picked")).to_contain_text(sentence)
        expect(page.locator("#picked .formula")).to_contain_text("tanh(")


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
    expect(page.locator("#sum-reading")).to_contain_text("512 of 512 neurons · loss")
    page.keyboard.press("-")
    expect(page.locator("#sum-reading")).to_have_text("511 of 512 neurons")  # points lack
    expect(page.locator("#order")).to_contain_text("and 412 smaller ones")
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
