"""`fit(…, live=…)` and `film(…, live=…)`: what a viewer of their page gets."""

import io
import json
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import torch

import fitreel
from fitreel.data.drawing import generate
from fitreel.settings import TrainingSettings
from fitreel.tracking import Tracker
from fitreel.training.loop import fit

SETTINGS = TrainingSettings(epochs=100, lr=0.02)


class Errors(io.TextIOBase):
    """Standard error, whose texts another thread gets as they come."""

    def __init__(self) -> None:
        self.texts: queue.Queue[str] = queue.Queue()

    def write(self, text: str) -> int:
        self.texts.put(text)
        return len(text)


class Viewer(threading.Thread):
    """A viewer that waits for the address on standard error and then follows to the end."""

    def __init__(self, errors: Errors, stop_at: int | None = None) -> None:
        super().__init__(daemon=True)
        self._errors, self._stop_at = errors, stop_at
        self.news: list[dict[str, object]] = []
        self.player = ""

    def run(self) -> None:
        announced = ""
        while not announced.startswith("watch the training: "):
            announced = self._errors.texts.get(timeout=30)
        address = announced.split()[-1]
        with urlopen(f"{address}events") as answer:
            for line in answer:
                if not line.startswith(b"data: "):
                    continue
                self.news.append(json.loads(line.removeprefix(b"data: ")))
                if self._stop_at is not None and self.frames and self.frames[-1] >= self._stop_at:
                    urlopen(f"{address}control", b"stop").close()
                    self._stop_at = None
        if self.phase == "finished":
            with urlopen(address) as answer:
                self.player = answer.read().decode()

    @property
    def frames(self) -> list[int]:
        """The steps of the frames so far."""
        return [each["step"] for news in self.news for each in news.get("frames", [])]  # type: ignore[attr-defined]

    @property
    def points(self) -> dict[str, list[float]]:
        """The values of all curves."""
        found: dict[str, list[float]] = {}
        for news in self.news:
            for name, (_, values) in news.get("points", {}).items():  # type: ignore[attr-defined]
                found.setdefault(name, []).extend(values)
        return found

    @property
    def phase(self) -> str:
        return [news["state"]["phase"] for news in self.news if "state" in news][-1]  # type: ignore[index,no-any-return]


@pytest.fixture(autouse=True)
def without_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Viewer]:
    def start(stop_at: int | None = None) -> Viewer:
        errors = Errors()
        # Here and not above: pytest sets its own again behind the fixtures.
        monkeypatch.setattr(sys, "stderr", errors)
        found = Viewer(errors, stop_at)
        found.start()
        return found

    return start


def test_fit_is_watched_and_trains_the_same(viewer: Callable[..., Viewer]) -> None:
    dataset, seen = generate(), viewer()
    epochs: list[int] = []
    network, history = fit(
        dataset, SETTINGS, lambda *state: epochs.append(state[0]), live="browser", pace=0.02
    )
    seen.join(30)
    unwatched = fit(dataset, SETTINGS)
    assert epochs == list(range(100))
    assert history.losses.tolist() == unwatched.history.losses.tolist()
    assert torch.equal(network.weights().flat(), unwatched.network.weights().flat())
    assert seen.news[0].keys() >= {"state"}
    assert seen.points["loss"] == pytest.approx(history.curve)
    assert seen.frames[-1] == 100
    assert seen.phase == "finished"
    assert f"<title>{SETTINGS.label} · fitreel</title>" in seen.player


def test_a_fit_that_is_stopped_raises_what_ctrl_c_does(viewer: Callable[..., Viewer]) -> None:
    seen = viewer(stop_at=20)
    with pytest.raises(KeyboardInterrupt):
        fit(generate(), SETTINGS, live="browser", pace=0.05)
    seen.join(30)
    assert seen.phase == "stopped"


def test_a_fit_that_diverges_closes_its_view(viewer: Callable[..., Viewer]) -> None:
    seen = viewer()
    with pytest.raises(ArithmeticError):
        fit(generate(), SETTINGS, lr=7, live="browser", pace=0.2)
    seen.join(30)
    assert seen.phase == "stopped"


def test_fit_refuses_a_view_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="live must be one of off, on, window, browser, terminal"):
        fit(generate(), SETTINGS, live="radio")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pace must be from 0 to 60"):
        fit(generate(), SETTINGS, live="browser", pace=-1)


X = np.linspace(-1, 1, 40, dtype=np.float32)
Y = X**2


def lines(step: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: step / 100 * np.abs(x)


def test_a_film_is_watched_and_ends_as_its_player(
    viewer: Callable[..., Viewer], tmp_path: Path
) -> None:
    uri, seen = f"sqlite:///{tmp_path}/mlflow.db", viewer()
    where = {"tracking_uri": uri, "experiment": "lines", "name": "forty points"}
    with fitreel.film(X, Y, live="browser", pace=0.05, **where) as reel:  # type: ignore[arg-type]
        for step in range(98):
            reel.frame(step, 1 / (step + 1), lines(step), {"val_loss": 2 / (step + 1)})
    seen.join(30)
    assert seen.frames[-1] == 97  # of the last call, although it is not a fifth one
    assert seen.points["val_loss"] == pytest.approx([2 / (step + 1) for step in range(98)])
    assert seen.phase == "finished"
    assert "<title>forty points · fitreel</title>" in seen.player
    source = Tracker(uri).source("latest")
    assert source.status == "FINISHED"


def test_a_film_that_is_stopped_keeps_what_it_has(
    viewer: Callable[..., Viewer], tmp_path: Path
) -> None:
    uri, seen = f"sqlite:///{tmp_path}/mlflow.db", viewer(stop_at=20)

    def train() -> None:
        with fitreel.film(X, Y, live="browser", pace=0.05, tracking_uri=uri) as reel:
            for step in range(1000):
                reel.frame(step, 1 / (step + 1), lines(step))

    with pytest.raises(KeyboardInterrupt):
        train()
    seen.join(30)
    assert seen.phase == "stopped"
    source = Tracker(uri).source("latest")
    assert source.status == "KILLED"
    assert source.first_of(["player.html"])


def test_a_film_that_fails_while_its_view_is_paused_ends(
    viewer: Callable[..., Viewer], tmp_path: Path
) -> None:
    uri, seen = f"sqlite:///{tmp_path}/mlflow.db", viewer()

    def train() -> None:
        with fitreel.film(X, Y, live="browser", tracking_uri=uri) as reel:
            for step in range(9):  # the last frame is made at the end
                reel.frame(step, 1 / (step + 1), lines(step))
            reel.listeners[-1].controls.pause()  # type: ignore[attr-defined]
            raise RuntimeError("oh")

    with pytest.raises(RuntimeError, match="oh"):
        train()
    seen.join(30)
    assert seen.phase == "stopped"
    assert Tracker(uri).source("latest").status == "FAILED"
