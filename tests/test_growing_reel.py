"""The reel of any model: what it keeps, when, and what it refuses."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import fitreel
from fitreel.reel.listener import Frame
from fitreel.reel.reel import Reel

X = np.linspace(-1, 1, 20)[:, None]
Y = X[:, 0] ** 2


def constant(value: float) -> Any:
    return lambda x: np.full(len(x), value)


def filmed(count: int, **options: Any) -> Reel:
    reel = Reel(X, Y, **options)
    for step in range(count):
        reel.frame(step, 1 / (step + 1), constant(step))
    return reel


def steps(reel: Reel) -> list[int]:
    return [frame.step for frame in reel.frames]


def test_every_fifth_call_is_kept_and_every_loss() -> None:
    reel = filmed(12)
    assert steps(reel) == [0, 5, 10]
    assert reel.steps.tolist() == list(range(12))
    assert reel.losses.tolist() == [1 / (step + 1) for step in range(12)]
    assert reel.frames[1].predictions.tolist() == [5.0] * 200
    assert reel.frames[1].loss == 1 / 6


def test_the_end_keeps_the_last_call_once() -> None:
    reel = filmed(12)
    reel.finish()
    reel.finish()
    assert steps(reel) == [0, 5, 10, 11]
    assert reel.frames[-1].predictions.tolist() == [11.0] * 200
    reel = filmed(11)
    reel.finish()
    assert steps(reel) == [0, 5, 10]


@pytest.mark.parametrize("most", [2, 3, 8, 9])
def test_a_long_training_is_thinned_as_it_goes(most: int) -> None:
    reel = filmed(1000, every=1, max_frames=most)
    distances = set(np.diff(steps(reel)).tolist())
    assert len(distances) == 1
    assert steps(reel)[0] == 0
    assert most / 2 <= len(reel.frames) <= most
    assert len(reel.losses) == 1000


def test_frames_may_be_kept_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0, 1000, 0.15).tolist())
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    reel = filmed(20, seconds=0.5)
    gaps = np.diff(steps(reel))
    assert steps(reel)[0] == 0
    assert 3 <= len(reel.frames) <= 8
    assert (gaps >= 2).all()


def test_frames_kept_by_time_are_thinned_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1_000_000))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    reel = filmed(2000, seconds=3, max_frames=10)
    gaps = np.diff(steps(reel))
    assert len(reel.frames) <= 10
    assert gaps.max() <= 2 * gaps.min()  # and not all frames near the end


def test_probes_follow_from_x() -> None:
    shapes = []

    def model(x: Any) -> Any:
        shapes.append((x.shape, x.dtype))
        return np.zeros(len(x))

    Reel(X, Y).frame(0, 1, model)
    Reel(X[:, 0].astype(np.float32), Y).frame(0, 1, model)
    Reel(np.random.default_rng(0).random((30, 4)), np.arange(30.0)).frame(0, 1, model)
    Reel(torch.rand(30, 2, 3, 3), torch.rand(30)).frame(0, 1, model)
    assert shapes == [
        ((200, 1), np.float64),
        ((200,), np.float32),
        ((30, 4), np.float64),
        ((30, 2, 3, 3), np.float32),
    ]


def test_own_probes_are_the_line() -> None:
    reel = Reel(X, Y, probes=[3, 1, 2])
    reel.frame(0, 1, lambda x: x[:, 0])
    assert reel.frames[0].predictions.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="probes are for one feature"):
        Reel(np.ones((3, 2)), [1, 2, 3], probes=[[1, 2]])
    with pytest.raises(ValueError, match="two or more x"):
        Reel(X, Y, probes=[1])


def test_other_metrics_have_curves_of_their_own() -> None:
    reel = Reel(X, Y)
    reel.frame(0, 1.0, constant(0), metrics={"val_loss": torch.tensor(2.0)})
    reel.frame(1, 0.5, constant(0))
    reel.frame(2, 0.4, constant(0), metrics={"val_loss": 1, "accuracy": np.float32(0.5)})
    assert list(reel.curves) == ["loss", "val_loss", "accuracy"]
    assert reel.curves["val_loss"].steps.tolist() == [0, 2]
    assert reel.curves["val_loss"].values.tolist() == [2, 1]


def test_the_loss_is_that_of_the_argument() -> None:
    reel = Reel(X, Y)
    reel.frame(0, 1.0, constant(0), metrics={"loss": 9.0})
    assert reel.losses.tolist() == [1]


def test_a_loss_with_a_gradient_is_a_number() -> None:
    reel = Reel(X, Y)
    reel.frame(0, torch.tensor(3.0, requires_grad=True) * 2, constant(0))
    assert reel.losses.tolist() == [6]


def test_steps_have_to_rise() -> None:
    reel = filmed(3)
    with pytest.raises(ValueError, match="the steps of loss must rise; got 2 after 2"):
        reel.frame(2, 1.0, constant(0))
    assert len(reel.losses) == 3


@pytest.mark.parametrize("loss", ["high", [1, 2], torch.ones(2), None])
def test_a_loss_that_is_no_number_is_refused(loss: Any) -> None:
    with pytest.raises(ValueError, match="loss must be a number; got"):
        Reel(X, Y).frame(0, loss, constant(0))


def test_a_step_is_a_whole_number() -> None:
    reel = Reel(X, Y)
    reel.frame(np.int64(3), 1.0, constant(0))
    with pytest.raises(TypeError, match="integer"):
        reel.frame(3.5, 1.0, constant(0))  # type: ignore[arg-type]
    assert steps(reel) == [3]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_kept_without_a_frame(value: float) -> None:
    reel = Reel(X, Y, every=1)
    reel.frame(0, 1.0, constant(0))
    reel.frame(1, value, constant(0))
    reel.frame(2, 1.0, constant(value))
    assert steps(reel) == [0]
    assert len(reel.losses) == 3


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"every": 0}, "every must be 1 or more; got 0"),
        ({"max_frames": 1}, "max_frames must be 2 or more; got 1"),
        ({"seconds": 0}, "seconds must be above 0; got 0"),
    ],
)
def test_options_out_of_range_are_named(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reel(X, Y, **option)


def test_listeners_get_every_point_and_frame() -> None:
    class Listener:
        def __init__(self) -> None:
            self.seen = list[Any]()

        def on_point(self, step: int, values: Mapping[str, float]) -> None:
            self.seen.append((step, dict(values)))

        def on_frame(self, frame: Frame) -> None:
            self.seen.append(frame.step)

    reel, listener = Reel(X, Y, every=2), Listener()
    reel.listeners.append(listener)
    for step in range(3):
        reel.frame(step, step, constant(0))
    assert listener.seen == [(0, {"loss": 0}), 0, (1, {"loss": 1}), (2, {"loss": 2}), 2]


def test_a_reel_becomes_a_film_without_mlflow(tmp_path: Path) -> None:
    film = filmed(30).render(tmp_path / "rst.gif", fps=10)
    with Image.open(film) as gif:
        assert getattr(gif, "n_frames", 1) == 7
        assert gif.info["duration"] == 100
    with pytest.raises(ValueError, match="the reel has no frame yet"):
        Reel(X, Y).render(tmp_path / "none.gif")


def test_a_reel_is_made_without_mlflow() -> None:
    code = "import fitreel, sys; fitreel.Reel([0, 1], [0, 1]); print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_it_says_what_it_has() -> None:
    assert repr(filmed(6)) == "Reel(6 steps, 2 frames)"
    assert fitreel.Reel is Reel
