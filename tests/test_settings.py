import re
from collections.abc import Callable

import pytest

from fitreel.settings import (
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    LiveSettings,
    TrainingSettings,
)


def test_defaults_are_those_of_the_original() -> None:
    assert DataSettings() == DataSettings(100, "quadratic", 0.2, -1.0, 1.0, 0)
    assert TrainingSettings() == TrainingSettings(20, "relu", "sgd", 0.1, 1000, 72, 5)
    assert (LiveSettings().live, EvaluationSettings().test_samples) == ("off", 1000)
    assert FilmSettings() == FilmSettings(20, "gif", 400)


@pytest.mark.parametrize(
    ("settings", "values", "message"),
    [
        (DataSettings, {"samples": 1}, "samples must be from 2 to 1,000,000; got 1"),
        (DataSettings, {"function": "root"}, "function must be one of quadratic, sine"),
        (DataSettings, {"noise": -0.1}, "noise must be from 0 to 1e+06; got -0.1"),
        (DataSettings, {"noise": float("nan")}, "noise must be finite; got nan"),
        (DataSettings, {"x_min": 1.0}, "x_min must be below x_max; got 1.0 and 1.0"),
        (DataSettings, {"data_seed": 2**31}, "data_seed must be from 0 to 2,147,483,647"),
        (TrainingSettings, {"lr": 0.0}, "lr must be above 0, at most 1e+06; got 0.0"),
        (TrainingSettings, {"lr": float("inf")}, "lr must be finite; got inf"),
        (TrainingSettings, {"epochs": 1.5}, "epochs must be of type int; got 1.5"),
        (TrainingSettings, {"hidden": True}, "hidden must be of type int; got True"),
        (TrainingSettings, {"frame_every": 0}, "frame_every must be from 1 to 10,000,000; got 0"),
        (
            LiveSettings,
            {"live": "maybe"},
            "live must be one of off, on, window, browser, terminal; got 'maybe'",
        ),
        (FilmSettings, {"fps": 51}, "fps must be from 1 to 50; got 51"),
    ],
)
def test_an_error_names_an_invalid_value(
    settings: type, values: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        settings(**values)


@pytest.mark.parametrize(
    "settings",
    [
        lambda: DataSettings(samples=2, noise=0, x_min=-1e3, x_max=1e3, data_seed=0),
        lambda: DataSettings(samples=1_000_000, noise=1e6, data_seed=2**31 - 1),
        lambda: TrainingSettings(hidden=1, lr=1e6, epochs=1, seed=2**31 - 1, frame_every=1),
        lambda: TrainingSettings(hidden=4096, epochs=10_000_000, frame_every=10_000_000),
        lambda: FilmSettings(fps=1),
        lambda: FilmSettings(fps=50),
    ],
)
def test_the_ends_of_the_ranges_are_allowed(settings: Callable[[], object]) -> None:
    settings()


def test_settings_are_read_from_the_text_that_mlflow_stores() -> None:
    params = {"samples": "50", "function": "sine", "noise": "1e-1", "x_min": "-2", "x_max": "2.50"}
    expected = DataSettings(50, "sine", 0.1, -2.0, 2.5, 7)
    assert DataSettings.from_params(params | {"data_seed": "7", "lr": "0.1"}) == expected


def test_missing_and_unreadable_params_are_named() -> None:
    with pytest.raises(ValueError, match="lacks the params max_frames"):
        FilmSettings.from_params({"fps": "20", "format": "gif"})
    with pytest.raises(ValueError, match="'many' is not a valid int"):
        EvaluationSettings.from_params({"test_samples": "many"})


def test_labels_distinguish_experiments() -> None:
    assert TrainingSettings().label == "relu20-sgd-lr0.1-e1000"
    assert TrainingSettings(lr=0.05, seed=3).label == "relu20-sgd-lr0.05-e1000-seed3"
    assert TrainingSettings(seed=0).label == "relu20-sgd-lr0.1-e1000-seed0"
    assert DataSettings().prefix == ""
    assert DataSettings(function="sine", data_seed=2).prefix == "sine100-noise0.2-data2-"
