"""The player's "what if" in a real browser: it trains as the library does, and shows how."""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.pages.player import write_player
from fitreel.pages.whatif import what_if
from fitreel.settings import DataSettings, Settings, TrainingSettings
from fitreel.training.history import History
from fitreel.training.loop import TrainingDiverged, fit
from fitreel.training.network import Network
from tests import processes
from tests.browser import errorless, numbers, pixel, scrub, until
from tests.test_comparison_colours import VISIONS, lab, linear

EPOCHS = 120
DEFAULTS = TrainingSettings(epochs=EPOCHS)


@pytest.fixture(scope="module")
def history(dataset: Dataset) -> History:
    return fit(dataset, DEFAULTS).history


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, history: History) -> Path:
    path = tmp_path_factory.mktemp("whatif") / "player.html"
    write_player(dataset, history, path)  # points and history know their settings
    return path


@pytest.fixture(scope="module")
def opened(browser: Browser, path: Path) -> Iterator[Page]:
    """Open the page for all tests; assert that it requests nothing else."""
    with errorless(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        yield page
        assert asked == [path.as_uri()]


@pytest.fixture
def player(opened: Page) -> Page:
    opened.locator("#reset").click()
    return opened


def choose(page: Page | Frame, **chosen: float | str) -> None:
    """Change settings as a user does, and wait until the page has trained."""
    for name, value in chosen.items():
        field = page.locator(f"#new-{name}")
        if name == "activation":
            field.select_option(str(value))
        else:
            field.fill(str(value))
    wanted = " && ".join(f"other?.settings.{name} == '{value}'" for name, value in chosen.items())
    until(page, wanted)


def is_violet(colour: tuple[int, int, int]) -> bool:
    """Return whether a pixel has the colour of the other training."""
    red, green, blue = colour
    return 120 < red < 180 and green < 70 and blue > 230


def text(page: Page | Frame, name: str) -> str:
    return page.locator(f"#{name}").inner_text()


@pytest.mark.parametrize(("hidden", "seed"), [(1, 0), (7, 1), (20, 72), (33, 2**31 - 1), (4096, 5)])
def test_the_initial_weights_are_the_runs_bit_for_bit(player: Page, hidden: int, seed: int) -> None:
    found = np.array(player.evaluate(f"[...initialWeights({hidden}, {seed})]"), dtype=np.float32)
    drawn = Network(TrainingSettings(hidden=hidden, seed=seed)).weights().flat().numpy()
    assert found.tobytes() == drawn.tobytes()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"seed": 3, "hidden": 64},
        {"hidden": 1, "lr": 0.5},
        {"activation": "tanh"},
        {"activation": "sigmoid", "optimizer": "momentum", "seed": 2**31 - 1},
        {"activation": "gelu", "hidden": 33},
        {"optimizer": "momentum"},
        {"optimizer": "adam", "lr": 0.01},
        {"optimizer": "adam", "activation": "tanh", "hidden": 7, "lr": 0.03},
        {"optimizer": "adam", "activation": "gelu", "seed": 5},
    ],
    ids=str,
)
def test_equal_settings_give_the_losses_and_frames_of_the_run(
    player: Page, dataset: Dataset, settings: dict[str, Any]
) -> None:
    wanted = replace(DEFAULTS, **settings)
    history = fit(dataset, wanted).history
    found = player.evaluate(
        """(settings) => {
            const steps = retrain(dataset, settings, epochs, training.frameEpochs);
            let step = steps.next();
            while (!step.done) step = steps.next();
            const { losses, frames, frameLosses, diverged } = step.value;
            const lines = frames.map((each) => each.predict(0.3));
            return { losses, frameLosses, diverged, lines };
        }""",
        asdict(wanted),
    )
    assert found["diverged"] is None
    assert found["losses"] == pytest.approx(history.curve, abs=1e-5)  # the issue asks for 1e-4
    assert found["frameLosses"] == pytest.approx(history.frame_losses, abs=1e-5)
    x = dataset.x.new_tensor([0.3])
    assert found["lines"] == pytest.approx(history.frames.predict(x)[:, 0].numpy(), abs=1e-4)


def test_the_other_training_is_shown_in_step_with_the_run(
    player: Page, dataset: Dataset, history: History
) -> None:
    choose(player, hidden=6, lr=0.05, activation="tanh")
    theirs = fit(dataset, DEFAULTS, hidden=6, lr=0.05, activation="tanh").history
    for frame in (4, 24):
        scrub(player, frame)
        for x in (-0.8, 0.7):
            y = theirs.frames[frame].predict(dataset.x.new_tensor([x])).item()
            assert is_violet(pixel(player, "fit", x, y))
        epoch = 5 * frame
        assert is_violet(pixel(player, "loss", epoch, theirs.curve[epoch]))
        shown = [theirs.curve[epoch], history.curve[epoch]]
        assert numbers(text(player, "whatif-reading")) == pytest.approx(shown, abs=1e-4)
    final = [theirs.curve[-1], theirs.curve[-1] / history.curve[-1], history.curve[-1]]
    assert numbers(text(player, "outcome")) == pytest.approx(final, abs=1e-4, rel=0.02)
    assert " times the run’s " in text(player, "outcome")
    expect(player.get_by_text("what if", exact=True)).to_have_count(2)  # in both legends
    player.locator("#reset").click()
    for chart in ("fit", "loss"):
        assert player.locator(f"#{chart} .for-other").is_hidden()
    assert not is_violet(pixel(player, "fit", -0.8, y))


def test_the_sliders_set_the_settings(player: Page) -> None:
    for name, at, value in (("lr", -1.3, 0.05), ("hidden", 3, 8), ("seed", 5, 5)):
        player.locator(f'[data-of="{name}"]').fill(str(at))
        until(player, f"other?.settings.{name} === {value}")
        assert float(player.locator(f"#new-{name}").input_value()) == value
    assert text(player, "command") == f"fitreel run --lr 0.05 --hidden 8 --seed 5 --epochs {EPOCHS}"
    assert "Dead neurons: " in text(player, "outcome")


def test_a_training_that_diverges_says_so(player: Page, dataset: Dataset) -> None:
    with pytest.raises(TrainingDiverged) as raised:
        fit(dataset, DEFAULTS, activation="tanh", lr=0.5)
    choose(player, activation="tanh", lr=0.5)
    assert text(player, "outcome").startswith(f"It diverges: at epoch {raised.value.epoch} ")
    scrub(player, 24)  # there it has neither line nor loss
    assert text(player, "whatif-reading") == ""
    scrub(player, 2)
    assert len(numbers(text(player, "whatif-reading"))) == 2


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("lr", "0", "The rate must be above 0, at most 1e+06."),
        ("lr", "", "The rate must be above 0, at most 1e+06."),
        ("hidden", "2.5", "The number of neurons must be a whole number from 1 to 4,096."),
        ("hidden", "4097", "The number of neurons must be a whole number from 1 to 4,096."),
        ("seed", "-1", "The seed must be a whole number from 0 to 2,147,483,647."),
    ],
)
def test_a_value_out_of_range_is_refused_in_a_sentence(
    player: Page, name: str, value: str, sentence: str
) -> None:
    player.locator(f"#new-{name}").fill(value)
    assert text(player, "outcome") == sentence
    expect(player.locator(f"#new-{name}")).to_have_attribute("aria-invalid", "true")
    assert text(player, "command") == f"fitreel run --epochs {EPOCHS}"
    assert player.evaluate("other") is None


def test_the_page_answers_while_it_trains(player: Page) -> None:
    choose(player, lr=0.0001, activation="gelu")
    player.locator("#new-hidden").fill("4096")
    expect(player.locator("#outcome")).to_contain_text("Training: epoch ")
    scrub(player, 3)
    assert text(player, "moment").startswith("epoch 15")
    choose(player, hidden=3)


def test_the_last_change_counts(player: Page) -> None:
    shown = player.evaluate(
        """async () => {
            chosen = { ...settings, hidden: 500 };
            const longer = trainAgain();
            chosen = { ...settings, hidden: 3 };
            await Promise.all([longer, trainAgain()]);
            return other.settings.hidden;
        }"""
    )
    assert shown == 3


def test_keys_type_into_a_field_and_do_not_step_the_film(player: Page) -> None:
    scrub(player, 3)
    player.locator("#new-hidden").click()
    player.keyboard.press("ArrowUp")
    until(player, "other?.settings.hidden === 21")
    assert text(player, "moment").startswith("epoch 15")


@contextmanager
def written(
    browser: Browser, directory: Path, dataset: Dataset, history: History, *settings: Settings
) -> Iterator[Page]:
    """Open the player of a training."""
    write_player(dataset, history, directory / "player.html", settings=settings)
    with errorless(browser) as page:
        page.goto((directory / "player.html").as_uri())
        yield page


def test_the_shown_command_makes_a_run_with_these_losses(browser: Browser, tmp_path: Path) -> None:
    drawn = DataSettings(samples=40, function="sine", noise=0.1, x_min=-3.0, x_max=-1, data_seed=4)
    points, settings = generate(drawn), replace(DEFAULTS, optimizer="adam", frame_every=50)
    with written(browser, tmp_path, points, fit(points, settings).history, settings, drawn) as page:
        choose(page, activation="tanh", hidden=5, lr=0.025, seed=8)
        program, *arguments = shlex.split(text(page, "command"))
        expected = page.evaluate("other.losses.at(-2)")  # the metric is that of the last epoch
    assert program == "fitreel"
    code, output, errors = processes.run(*arguments, "--json", directory=tmp_path)
    assert code == 0, errors
    assert json.loads(output)["metrics"]["loss"] == pytest.approx(expected, abs=1e-5)


def test_without_all_points_only_the_command_is_left(browser: Browser, tmp_path: Path) -> None:
    drawn, settings = DataSettings(samples=4500), TrainingSettings(epochs=2)
    points = generate(drawn)
    with written(browser, tmp_path, points, fit(points, settings).history, settings, drawn) as page:
        assert "lacks some of the points" in text(page, "outcome")
        page.locator("#new-hidden").fill("3")
        assert text(page, "command") == "fitreel run --hidden 3 --epochs 2 --samples 4500"
        page.wait_for_timeout(100)
        assert page.evaluate("other") is None


@pytest.mark.parametrize(
    "changes", [{"loss": "mae"}, {"batch_size": 20}, {"weight_decay": 0.1}, {"patience_epochs": 3}]
)
def test_what_the_page_cannot_train_is_not_offered(changes: dict[str, Any]) -> None:
    assert what_if([DEFAULTS]) is not None
    assert what_if([replace(DEFAULTS, **changes)]) is None


def test_a_page_without_settings_has_no_panel(
    browser: Browser, tmp_path: Path, dataset: Dataset, history: History
) -> None:
    with written(browser, tmp_path, dataset, replace(history, settings=None)) as page:
        expect(page.locator("#whatif")).to_be_hidden()
        scrub(page, 3)  # the rest works


def test_losses_of_other_points_are_not_compared(
    browser: Browser, tmp_path: Path, dataset: Dataset, history: History
) -> None:
    changed = Dataset(dataset.x, 1 - dataset.y)
    with written(browser, tmp_path, changed, history, DEFAULTS) as page:
        choose(page, hidden=3)
        assert "trained on other points" in text(page, "outcome")
        assert "the run’s" not in text(page, "outcome")


def test_a_history_that_ends_before_the_last_update_is_enough(
    browser: Browser, tmp_path: Path, dataset: Dataset, history: History
) -> None:
    """As the histories of fitreel 0.3 do."""
    old = History(
        history.losses,
        history.frame_epochs[:-1],
        history.frames[history.frames.output_bias.new_tensor(range(24)).long()],
    )
    with written(browser, tmp_path, dataset, old, DEFAULTS) as page:
        choose(page, seed=72)
        assert page.evaluate("other.losses.length") == EPOCHS
        assert page.evaluate("other.losses.at(-1)") == pytest.approx(history.losses[-1], abs=1e-5)


def test_it_trains_and_copies_in_the_frame_of_a_notebook(
    browser: Browser, tmp_path: Path, dataset: Dataset
) -> None:
    shown = fit(Dataset(dataset.x, dataset.y), DEFAULTS).history._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html>{shown}", "utf-8")
    with errorless(browser) as page:
        page.goto((tmp_path / "notebook.html").as_uri())
        frame = page.frames[1]
        frame.wait_for_load_state()
        assert frame.evaluate("origin") == "null"
        choose(frame, activation="tanh", hidden=4)
        expected = fit(dataset, DEFAULTS, activation="tanh", hidden=4).history.curve[-1]
        assert frame.evaluate("other.losses.at(-1)") == pytest.approx(expected, abs=1e-5)
        command = f'fitreel.fit(dataset, hidden=4, activation="tanh", epochs={EPOCHS})'
        assert text(frame, "command") == command
        frame.locator("#copy").click()
        expect(frame.locator("#copy")).to_have_text("copied")
        page.evaluate("document.body.append(document.createElement('textarea'))")
        page.locator("textarea").press("ControlOrMeta+v")
        assert page.locator("textarea").input_value() == command


def test_where_copying_is_refused_the_command_is_selected(player: Page) -> None:
    choose(player, hidden=9)
    player.evaluate("document.execCommand = () => false")
    player.locator("#copy").click()
    expect(player.locator("#copy")).to_have_text("selected: press Ctrl+C")
    assert player.evaluate("String(getSelection())") == f"fitreel run --hidden 9 --epochs {EPOCHS}"


def test_points_that_no_settings_draw_are_named_by_their_run() -> None:
    hostile = "ab'; rm -rf ~ #"
    found = what_if([replace(DEFAULTS, frame_every=7)], hostile)
    assert found is not None
    command = found["command"]
    assert command["start"].startswith("mlflow run . -e train -P run=")
    assert shlex.split(command["start"])[-1] == f"run={hostile}"
    assert command["option"] == " -P {name}={value}"
    assert command["end"] == f" -P epochs={EPOCHS} -P frame_every=7"
    assert what_if([DataSettings()], hostile) is None


@pytest.mark.parametrize("vision", VISIONS)
def test_the_colour_differs_from_all_others_with_any_colour_vision(vision: str) -> None:
    style = (files("fitreel.pages") / "static" / "style.css").read_text("utf-8")
    shades = [dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in style.split("@media")[:2]]
    for colours in shades:
        chosen = [colours[name] for name in ("other", "line", "points", "floor", "ink")]
        seen = lab(np.clip(linear(chosen) @ np.array(VISIONS[vision]).T, 0, 1))
        assert np.linalg.norm(seen[1:] - seen[0], axis=1).min() > 27
