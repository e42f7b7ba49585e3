"""What a notebook shows: its pages in a real browser, in the frame in which a notebook has them."""

import base64
import html
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Frame, Page

from fitreel.data.dataset import Dataset
from fitreel.pages.player import write_player
from fitreel.pictures.film import render
from fitreel.reel.reel import Reel
from fitreel.settings import TrainingSettings
from fitreel.training.evaluation import Metrics
from fitreel.training.loop import Fit, TrainingDiverged, fit
from fitreel.training.many import fit_many
from fitreel.training.network import Network
from tests.browser import data, errorless, is_red, numbers, pixel, scrub


def notebook(page: Page, directory: Path, shown: str) -> Page:
    """Open a page in which a cell's output is shown."""
    path = directory / "notebook.html"
    path.write_text(f"<!DOCTYPE html><html><body><div>{shown}</div></body></html>", "utf-8")
    page.goto(path.as_uri())
    return page


def framed(page: Page) -> Frame:
    _, frame = page.frames
    frame.wait_for_load_state()
    return frame


def test_a_notebook_shows_the_player_of_a_history(page: Page, tmp_path: Path, trained: Fit) -> None:
    history = trained.history
    shown = history._repr_html_()
    assert shown is not None
    assert trained._repr_html_() == shown
    player = framed(notebook(page, tmp_path, shown))
    assert player.locator("h1").inner_text() == "relu20-sgd-lr0.1-e60"
    scrub(player, 4)
    moment = numbers(player.locator("#moment").inner_text())
    assert moment == [20, pytest.approx(history.losses[20], abs=1e-4)]
    assert data(player.content())["noise_floor"] == pytest.approx(0.2**2 / 12)
    y = history.frames[4].predict(torch.tensor([0.5])).item()
    assert is_red(pixel(player, "fit", 0.5, y))


def test_a_notebook_shows_the_player_of_a_reel(page: Page, tmp_path: Path) -> None:
    reel = Reel([0, 1, 2], [0, 1, 4], every=1)
    assert reel._repr_html_() is None, "its text says that it has no frame yet"
    reel.frame(0, 2.5, lambda x: x)
    reel.frame(1, 0.5, lambda x: x**2)
    player = framed(notebook(page, tmp_path, str(reel._repr_html_())))
    scrub(player, 0)
    assert numbers(player.locator("#moment").inner_text()) == [0, 2.5]
    assert is_red(pixel(player, "view.chart", 1.5, 1.5))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_frame_is_as_wide_as_the_notebook_and_separate_from_it(
    browser: Browser, tmp_path: Path, trained: Fit, scheme: str
) -> None:
    viewport = {"width": 500, "height": 900}
    with errorless(browser, viewport=viewport, color_scheme=scheme) as page:
        player = framed(notebook(page, tmp_path, str(trained.history._repr_html_())))
        box = page.locator("iframe").bounding_box()
        assert box
        assert 450 < box["width"] <= 500
        assert player.evaluate("document.scrollingElement.scrollWidth") <= box["width"]
        # An origin of its own: it reads nothing of the notebook.
        assert player.evaluate("origin") == "null"
        assert player.evaluate("try { parent.document; 'read' } catch { 'refused' }") == "refused"


def test_text_in_a_page_stays_text_in_a_notebook(
    page: Page, tmp_path: Path, dataset: Dataset, trained: Fit
) -> None:
    name = '"></iframe><img src=x onerror=alert(1)>&quot;'
    written = write_player(dataset, trained.history, tmp_path / "player.html", name)
    player = framed(notebook(page, tmp_path, written._repr_html_()))
    assert player.locator("h1").inner_text() == name
    assert page.locator("iframe").get_attribute("srcdoc") == written.path.read_text("utf-8")
    assert page.locator("img").count() == 0


def test_points_of_unknown_noise_have_no_noise_floor(dataset: Dataset) -> None:
    history = fit(Dataset(dataset.x, dataset.y), epochs=1).history
    shown = html.unescape(str(history._repr_html_()))
    assert data(shown)["noise_floor"] is None


def test_a_training_that_diverges_can_be_played(dataset: Dataset) -> None:
    with pytest.raises(TrainingDiverged) as error:
        fit(dataset, lr=3)
    history = error.value.history
    assert history is not None
    assert history.settings == TrainingSettings(lr=3)
    assert "<iframe" in str(history._repr_html_())


def test_without_its_points_a_history_has_no_player(trained: Fit) -> None:
    assert replace(trained.history, dataset=None)._repr_html_() is None


@pytest.mark.parametrize("name", ["film", "a b.gif", "film.mp4", '"><b>.gif'])
def test_a_notebook_plays_the_film(
    page: Page, tmp_path: Path, dataset: Dataset, trained: Fit, name: str
) -> None:
    film = render(dataset, trained.history, tmp_path / name, max_frames=3)
    shown = notebook(page, tmp_path, film._repr_html_())
    if name.endswith(".mp4"):
        # Not played: the browser may lack the codec.
        source = shown.locator("video").get_attribute("src") or ""
        kind, _, content = source.partition(";base64,")
        assert kind == "data:video/mp4"
        assert base64.b64decode(content) == film.path.read_bytes()
        return
    image = shown.locator("img").evaluate("async i => (await i.decode(), [i.naturalWidth, i.alt])")
    assert image == [640, name]
    page.set_viewport_size({"width": 300, "height": 300})
    assert page.evaluate("document.scrollingElement.scrollWidth") == 300
    assert shown.locator("b").count() == 0


def test_films_and_pages_serve_as_paths(tmp_path: Path, dataset: Dataset, trained: Fit) -> None:
    film = render(dataset, trained.history, tmp_path / "rst.gif", max_frames=2)
    page = write_player(dataset, trained.history, tmp_path / "player.html")
    for file, name in ((film, "rst.gif"), (page, "player.html")):
        assert str(file) == os.fspath(file) == str(tmp_path / name)
        assert Path(file) == file.path
        assert repr(file) == f"{type(file).__name__}({str(tmp_path / name)!r})"
        shutil.copy(file, tmp_path / "copy")
        with open(file, "rb") as content:  # noqa: PTH123
            assert content.read() == (tmp_path / "copy").read_bytes()
    with Image.open(film) as image:
        assert image.format == "GIF"


def test_results_print_as_one_short_line(dataset: Dataset, trained: Fit) -> None:
    network, history = trained
    assert repr(dataset) == "Dataset(100 points, x -1 to 1, y 0.0239 to 1.11)"
    assert repr(history) == "History(60 epochs, 13 frames, loss 0.1514 → 0.02047)"
    assert repr(network) == "Network(20 relu neurons)"
    assert repr(network.weights()) == "Weights(20 relu neurons)"
    assert repr(history.frames) == "Weights(13 networks of 20 relu neurons)"
    assert repr(trained) == f"Fit(network={network!r}, history={history!r})"
    one, other = fit_many(
        dataset, [TrainingSettings(epochs=60), TrainingSettings(epochs=60, lr=1e6)]
    )
    assert repr(one) == "Trained(finished, 60 epochs, loss 0.1514 → 0.02105)"
    assert repr(other).startswith("Trained(diverged, ")
    metrics = {"train_rmse": 0.0612345, "test_r2": 0.5, "dead_neurons": 3.0}
    assert repr(Metrics(metrics)) == "Metrics(train_rmse 0.06123, test_r2 0.5, dead_neurons 3)"
    assert str(Network(TrainingSettings(hidden=3))).startswith("Network(\n  (hidden): Linear(")


@pytest.mark.parametrize("wide", [1, 3000])
def test_the_shown_page_stays_small(wide: int, dataset: Dataset) -> None:
    history = fit(dataset, hidden=wide, epochs=8, frame_every=1, lr=1e-5).history
    assert len(str(history._repr_html_())) < 1_500_000
    assert history.dataset is dataset


def test_a_progress_bar_shows_epochs_and_loss(
    capfd: pytest.CaptureFixture[str], dataset: Dataset, trained: Fit
) -> None:
    seen = list[int]()
    hook: Callable[..., None] = lambda epoch, *_: seen.append(epoch)  # noqa: E731
    history = fit(dataset, epochs=60, progress=True, on_epoch=hook).history
    shown = capfd.readouterr().err
    assert "fit: 100%" in shown
    assert "60/60 [" in shown
    assert f"loss {history.losses[-1]:.4g}]" in shown
    assert seen == list(range(60))
    assert np.array_equal(history.losses, trained.history.losses)
    fit(dataset, epochs=2)
    assert capfd.readouterr().err == ""


def test_the_bar_ends_with_a_training_that_diverges(
    capfd: pytest.CaptureFixture[str], dataset: Dataset
) -> None:
    with pytest.raises(ArithmeticError):
        fit(dataset, lr=1000, progress=True)
    assert capfd.readouterr().err.endswith("\n")
