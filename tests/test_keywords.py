import inspect
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fitreel
from fitreel import DataSettings, FilmSettings, TrainingSettings, fit, generate, render
from fitreel.data.dataset import Dataset
from fitreel.training.loop import Fit


def test_keywords_stand_for_settings(dataset: Dataset) -> None:
    settings = DataSettings(50, "sine", noise=0.1)
    for drawn in (generate("sine", samples=50, noise=0.1), generate(settings)):
        assert torch.equal(drawn.y, generate(settings).y)
    by_name = fit(dataset, lr=0.05, hidden=3, epochs=4).history
    assert by_name.settings == TrainingSettings(hidden=3, lr=0.05, epochs=4)
    by_object = fit(dataset, TrainingSettings(hidden=3, lr=0.05, epochs=4)).history
    assert np.array_equal(by_name.losses, by_object.losses)


def test_keywords_replace_single_settings(dataset: Dataset) -> None:
    base = TrainingSettings(hidden=3, epochs=4)
    assert fit(dataset, base, lr=0.05, epochs=2).history.settings == TrainingSettings(
        hidden=3, lr=0.05, epochs=2
    )
    assert base == TrainingSettings(hidden=3, epochs=4)
    assert len(generate(DataSettings(samples=7), noise=0.0)) == 7
    assert torch.equal(
        generate("abs", noise=0).y, generate(DataSettings(noise=0), function="abs").y
    )


def test_numbers_of_numpy_are_numbers(dataset: Dataset) -> None:
    (rate,), (hidden,) = np.geomspace(0.1, 0.1, 1), np.arange(3, 4)
    settings = fit(dataset, lr=rate, hidden=hidden, epochs=np.int32(2)).history.settings
    assert settings == TrainingSettings(lr=0.1, hidden=3, epochs=2)
    assert {type(settings.lr), type(settings.hidden)} == {float, int}
    with pytest.raises(ValueError, match=re.escape("epochs must be of type int; got 2.5")):
        fit(dataset, epochs=np.float64(2.5))


ANY_FIT: Any = fit
ANY_RENDER: Any = render
ANY_GENERATE: Any = generate
WRONG: dict[str, Callable[[Dataset], Any]] = {
    "fit() has no setting 'learning_rate'; did you mean lr?": lambda one: fit(
        one, learning_rate=0.1
    ),
    "fit() has no setting 'neurons'; did you mean hidden?": lambda one: fit(one, neurons=3),
    "fit() has no setting 'dropout'; it has hidden, activation, optimizer, lr, epochs, seed, "
    "frame_every, batch_size, loss, weight_decay, patience_epochs": lambda one: fit(
        one, dropout=0.5
    ),
    "fit() takes TrainingSettings, or keywords; got 0.1": lambda one: ANY_FIT(one, 0.1),
    "fit() takes TrainingSettings, or keywords; got DataSettings": lambda one: ANY_FIT(
        one, DataSettings()
    ),
    "fit() takes a dataset, as in fit(Dataset(x, y))": lambda one: ANY_FIT(one.x, one.y),
    "generate() has no setting 'std'; did you mean noise?": lambda _: generate("sine", std=0.1),
    "generate() takes DataSettings, or keywords; got 100": lambda _: ANY_GENERATE(100),
    "render() has no setting 'speed'; did you mean fps?": lambda one: render(
        one, fit(one, epochs=1).history, "film.gif", speed=2
    ),
    "render() takes FilmSettings, or keywords; got TrainingSettings": lambda one: ANY_RENDER(
        one, fit(one, epochs=1).history, "film.gif", TrainingSettings()
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_name_is_one_sentence_with_the_right_one(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError) as error:
        WRONG[message](dataset)
    assert str(error.value) == message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("message", ["function must be one of quadratic, sine, cubic, step, abs"])
def test_a_wrong_value_is_named(message: str) -> None:
    with pytest.raises(ValueError, match=f"{message}; got 'sin'"):
        ANY_GENERATE("sin")


@pytest.mark.parametrize(
    ("function", "group"),
    [(generate, DataSettings), (fit, TrainingSettings), (render, FilmSettings)],
)
def test_help_and_tab_show_the_settings(function: Callable[..., Any], group: type) -> None:
    parameters = inspect.signature(function).parameters
    for each in fields(group):
        assert parameters[each.name].default == each.default
        assert parameters[each.name].kind is inspect.Parameter.KEYWORD_ONLY
    assert "keywords" not in parameters


def test_every_function_that_takes_settings_takes_keywords() -> None:
    for name in fitreel.__all__:
        function = getattr(fitreel, name)
        if inspect.isfunction(function):
            parameters = inspect.signature(function).parameters
            if "settings" in parameters and is_dataclass(parameters["settings"].default):
                named = fields(parameters["settings"].default)
                assert {each.name for each in named} <= parameters.keys(), name


def test_settings_by_name_are_drawn_in_the_film(
    dataset: Dataset, tmp_path: Path, trained: Fit
) -> None:
    done = list[int]()
    render(dataset, trained.history, tmp_path / "a.gif", on_frame=done.append, max_frames=3)
    assert done == [1, 2, 3]
    render(dataset, trained.history, tmp_path / "a.gif", FilmSettings(max_frames=3), max_frames=4)
    assert not (tmp_path / "a.mp4").exists()
    with pytest.raises(ValueError, match=re.escape("ends in .mp4, as its format is mp4")):
        render(dataset, trained.history, tmp_path / "a.gif", format="mp4")
