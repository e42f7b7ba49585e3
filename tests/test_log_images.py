"""`--log-images N`: frames as images of steps, in MLflow's own layout, behind its UI's slider."""

import re
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image
from playwright.sync_api import Page, expect

import fitreel
from fitreel.settings import ImageSettings
from fitreel.tracking import step_images
from tests import processes
from tests.faults import SPOOL, client
from tests.servers import Server

X = np.linspace(-1, 1, 20)[:, None]
Y = X[:, 0] ** 2
EPOCHS = 40


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a store with a run of ours, whose film has frames 0, 5, …, 40."""
    path = tmp_path_factory.mktemp("store")
    options = ("--epochs", str(EPOCHS), "--log-images", "3", "--name", "ours")
    code, _, errors = processes.run("run", *options, directory=path, **spool(path))
    assert code == 0, errors
    return path


def spool(directory: Path) -> dict[str, str]:
    return {SPOOL: str(directory / "spool")}


@pytest.fixture
def store(directory: Path) -> MlflowClient:
    return client(directory)


def run_of(store: MlflowClient, name: str) -> mlflow.entities.Run:
    (run,) = store.search_runs(["0"], f"attributes.run_name = '{name}'")
    return run


def images(store: MlflowClient, run_id: str) -> list[str]:
    return [each.path for each in store.list_artifacts(run_id, "images")]


def steps(store: MlflowClient, run_id: str) -> list[int]:
    """Return the steps of the images of the film, in order."""
    paths = step_images.of_key(images(store, run_id), step_images.OUR_KEY)
    return [int(path.split("+")[2]) for path in paths]


def layout(path: str) -> str:
    """Return the name of an image of a step with its key, numbers and id left out."""
    name = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", path)
    return re.sub(r"/.*?([+%])step", r"/KEY\1step", re.sub(r"\d+", "N", name))


def test_the_frames_are_evenly_chosen_with_both_ends(store: MlflowClient) -> None:
    run = run_of(store, "ours")
    assert steps(store, run.info.run_id) == [0, 20, EPOCHS]
    assert run.data.params["log_images"] == "3"


def test_the_files_are_named_as_mlflow_names_those_of_log_image(store: MlflowClient) -> None:
    run = run_of(store, "ours")
    theirs = store.create_run(run.info.experiment_id)
    store.log_image(theirs.info.run_id, Image.new("RGB", (640, 480)), key="key", step=5)
    store.set_terminated(theirs.info.run_id)
    wanted = {layout(path) for path in images(store, theirs.info.run_id)}
    assert len(wanted) == 2  # the image, and a small copy
    assert {layout(path) for path in images(store, run.info.run_id)} == wanted
    tag = "mlflow.loggedImages"
    assert run.data.tags[tag] == store.get_run(theirs.info.run_id).data.tags[tag]
    for path, one in zip(
        sorted(images(store, theirs.info.run_id)),
        sorted(images(store, run.info.run_id))[:2],
        strict=True,
    ):
        with (
            Image.open(store.download_artifacts(theirs.info.run_id, path)) as their,
            Image.open(store.download_artifacts(run.info.run_id, one)) as our,
        ):
            assert (our.format, our.size) == (their.format, their.size)


def test_an_image_shows_its_frame_of_the_film(store: MlflowClient) -> None:
    run_id = run_of(store, "ours").info.run_id
    last = step_images.of_key(images(store, run_id), step_images.OUR_KEY)[-1]
    with (
        Image.open(store.download_artifacts(run_id, "rst.gif")) as film,
        Image.open(store.download_artifacts(run_id, last)) as image,
    ):
        film.seek(getattr(film, "n_frames") - 1)  # noqa: B009
        difference = np.asarray(film.convert("RGB"), int) - np.asarray(image, int)
    assert np.abs(difference).mean() < 0.2


def test_logged_again_an_image_replaces_itself(store: MlflowClient, directory: Path) -> None:
    run_id = run_of(store, "ours").info.run_id
    before = set(images(store, run_id))
    options = ("--run", run_id, "--log-images", "2")
    code, _, errors = processes.run("animate", *options, directory=directory, **spool(directory))
    assert code == 0, errors
    assert set(images(store, run_id)) == before


def test_by_default_no_image_is_logged(directory: Path, store: MlflowClient) -> None:
    options = ("--epochs", "5", "--name", "plain")
    code, _, errors = processes.run("run", *options, directory=directory, **spool(directory))
    assert code == 0, errors
    run = run_of(store, "plain")
    assert not images(store, run.info.run_id)
    assert "mlflow.loggedImages" not in run.data.tags


@pytest.mark.parametrize("number", [-1, 1, 201])
def test_a_number_that_is_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="log_images must be"):
        ImageSettings(log_images=number)
    with (
        pytest.raises(ValueError, match="log_images must be"),
        fitreel.film(X, Y, log_images=number),
    ):
        pass


def test_a_film_of_any_model_logs_them_too(
    directory: Path, store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{directory}/mlflow.db")
    with fitreel.film(X, Y, name="film", log_images=4) as reel:
        for step in range(31):
            reel.frame(step, 1 / (step + 1), lambda x: x[:, 0] ** 2)
    run = run_of(store, "film")
    assert steps(store, run.info.run_id) == [0, 10, 20, 30]
    assert not run.data.params  # those are the caller's


def test_they_survive_a_server_that_is_away(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        options = (
            "--epochs",
            "20",
            "--log-images",
            "2",
            "--tracking-uri",
            server.url,
            "--patience",
            "0",
        )
        # The first stages reach the server; the journal keeps everything from then on.
        process = processes.start("run", *options, directory=tmp_path, **spool(tmp_path))
        while not (tmp_path / "err").exists() or "run " not in (tmp_path / "err").read_text():
            process.join(0.05)
        server.stop()
        process.join()
        assert process.exitcode == 75, (tmp_path / "err").read_text()
        server.start()
        for _ in range(2):
            sync = ("sync", "--tracking-uri", server.url)
            code, _, errors = processes.run(*sync, directory=tmp_path, **spool(tmp_path))
            assert code == 0, errors
        store = MlflowClient(server.url)
        (run,) = store.search_runs(["0"])
        assert steps(store, run.info.run_id) == [0, 20]
        assert len(images(store, run.info.run_id)) == 4
        assert run.data.tags["mlflow.loggedImages"] == "True"


@pytest.mark.needs("browser")
def test_mlflows_slider_shows_the_frames(
    page: Page, store: MlflowClient, directory: Path, tmp_path: Path
) -> None:
    run = run_of(store, "ours")
    with Server(tmp_path, directory / "mlflow.db") as server:
        page.goto(f"{server.url}/#/experiments/0/runs/{run.info.run_id}/model-metrics")
        slider = page.get_by_role("slider")
        picture = page.locator("img[src*='get-artifact']")
        expect(slider).to_have_count(1)
        for step in (0, 20, EPOCHS):
            if step:
                slider.press("ArrowRight")
            expect(slider).to_have_attribute("aria-valuenow", str(step))
            expect(picture).to_have_attribute("src", re.compile(rf"film%2Bstep%2B{step}%2B"))
            picture.evaluate("picture => picture.decode()")
            assert picture.evaluate("picture => picture.naturalWidth") == 256
        picture.click()  # the image itself, not its small copy
        whole = page.locator("img[src$='.png'], img[src*='.png&']").first
        whole.evaluate("picture => picture.decode()")
        assert whole.evaluate("picture => picture.naturalWidth") == 640
