"""`fitreel animate --images`: images that another program logged, or drew, become a film."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image

from fitreel.tracking import Tracker, step_images
from fitreel.tracking.image_films import film_file
from fitreel.tracking.names import image_film_tag
from tests import processes
from tests.faults import SPOOL, client
from tests.servers import Server

STEPS = (0, 2, 10)


def square(value: int, size: tuple[int, int] = (30, 20)) -> Image.Image:
    return Image.new("RGB", size, (value, 0, 0))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a store with a run of another program: images of two keys, and a folder of them."""
    path = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}/mlflow.db")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.chdir(path)
        mlflow.set_tracking_uri(f"sqlite:///{path}/mlflow.db")
        with mlflow.start_run(run_name="theirs", description="their note", tags={"mine": "1"}):
            for step in reversed(STEPS):  # logged in another order
                mlflow.log_image(square(step * 20), key="loss/surface", step=step)
                mlflow.log_image(square(255 - step * 20), key="masks", step=step)
            (path / "plots").mkdir()
            for step in range(12):
                square(step * 20).save(path / "plots" / f"epoch{step}.png")
            mlflow.log_artifacts("plots", "plots/all")
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    return path


@pytest.fixture
def store(directory: Path, tmp_path: Path) -> Iterator[MlflowClient]:
    """Return the store; what a test adds to its run is removed again."""
    store = client(directory)
    kept = tmp_path / "kept"
    artifacts = Path(only_run(store).info.artifact_uri)
    shutil.copytree(artifacts, kept)
    yield store
    shutil.rmtree(artifacts)
    shutil.copytree(kept, artifacts)
    for tag in only_run(store).data.tags:
        if tag.startswith("fitreel."):
            store.delete_tag(only_run(store).info.run_id, tag)


def only_run(store: MlflowClient) -> mlflow.entities.Run:
    (run,) = store.search_runs(["0"])
    return run


def animate(*options: str, directory: Path, tmp_path: Path) -> tuple[int, str, str]:
    spool = str(tmp_path / "spool")
    return processes.run(
        "animate", *options, directory=directory, output_to=tmp_path, **{SPOOL: spool}
    )


def reds(file: str | Path) -> list[int]:
    """Return the red of every frame of a film."""
    found: list[int] = iio.imread(file)[:, 10, 15, 0].tolist()
    return found


def test_the_images_of_a_key_become_a_film_in_their_run(
    store: MlflowClient, directory: Path, tmp_path: Path
) -> None:
    before = only_run(store)
    options = ("--images", "loss/surface", "--run", "theirs")
    code, out, errors = animate(*options, directory=directory, tmp_path=tmp_path)
    assert (code, out.strip()) == (0, before.info.run_id), errors
    assert "films/loss-surface.gif: 3 images" in errors
    after = only_run(store)
    film = store.download_artifacts(after.info.run_id, "films/loss-surface.gif")
    assert reds(film) == [step * 20 for step in STEPS]
    # The run is another program's: its end, its note and its params are as they were.
    assert after.info == before.info
    assert after.data.params == before.data.params == {}
    added = after.data.tags.keys() - before.data.tags.keys()
    assert added == {image_film_tag("loss-surface.gif")}
    assert before.data.tags.items() <= after.data.tags.items()


def test_a_second_film_replaces_the_first(
    store: MlflowClient, directory: Path, tmp_path: Path
) -> None:
    for most, frames in (("400", 3), ("2", 2)):
        options = ("--images", "masks", "--run", "theirs", "--max-frames", most)
        code, _, errors = animate(*options, directory=directory, tmp_path=tmp_path)
        assert code == 0, errors
        film = store.download_artifacts(only_run(store).info.run_id, "films/masks.gif")
        assert reds(film) == [255, 215, 55][:: 4 - frames]


# imageio's reader does not close the pipes of its ffmpeg.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_folder_of_the_run_is_filmed_in_the_order_of_its_numbers(
    store: MlflowClient, directory: Path, tmp_path: Path
) -> None:
    options = ("--images", "plots/all", "--run", "theirs", "--format", "mp4", "--fps", "10")
    code, _, errors = animate(*options, directory=directory, tmp_path=tmp_path)
    assert code == 0, errors
    film = store.download_artifacts(only_run(store).info.run_id, "films/plots-all.mp4")
    found = iio.imread(film, plugin="FFMPEG")[:12, 10, 15, 0]
    assert np.abs(found.astype(int) - np.arange(12) * 20).max() < 12


def test_a_file_that_somebody_else_logged_is_not_replaced(
    store: MlflowClient, directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "masks.gif").write_text("theirs")
    store.log_artifact(only_run(store).info.run_id, str(tmp_path / "masks.gif"), "films")
    options = ("--images", "masks", "--run", "theirs")
    code, _, errors = animate(*options, directory=directory, tmp_path=tmp_path)
    assert code == 2
    assert "has films/masks.gif, which fitreel animate did not log" in errors
    film = store.download_artifacts(only_run(store).info.run_id, "films/masks.gif")
    assert Path(film).read_text() == "theirs"


def test_the_film_of_another_key_with_the_same_name_is_not_replaced(
    store: MlflowClient, directory: Path, tmp_path: Path
) -> None:
    store.set_tag(only_run(store).info.run_id, image_film_tag("masks.gif"), "/masks/")
    options = ("--images", "masks", "--run", "theirs")
    code, _, errors = animate(*options, directory=directory, tmp_path=tmp_path)
    assert (code, "has the film of '/masks/' as films/masks.gif" in errors) == (2, True), errors


@pytest.mark.parametrize("key", ["loss", "../plots", "/etc", "images+", "plots"])
def test_a_missing_key_is_one_line_that_lists_those_there_are(
    store: MlflowClient, directory: Path, tmp_path: Path, key: str
) -> None:
    options = ("--images", key, "--run", "theirs")
    code, out, errors = animate(*options, directory=directory, tmp_path=tmp_path)
    run_id = only_run(store).info.run_id
    has = "it has images of loss/surface, masks"
    assert (code, out) == (2, "")
    assert errors == f"fitreel: run {run_id} has no images of '{key}'; {has}\n"
    assert not store.list_artifacts(run_id, "films")


def test_an_image_that_cannot_be_read_changes_nothing(
    store: MlflowClient, directory: Path, tmp_path: Path
) -> None:
    run_id = only_run(store).info.run_id
    (tmp_path / "bad2.png").write_text("no image")
    square(0).save(tmp_path / "bad1.png")
    for name in ("bad1.png", "bad2.png"):
        store.log_artifact(run_id, str(tmp_path / name), "bad")
    options = ("--images", "bad", "--run", "theirs")
    code, _, errors = animate(*options, directory=directory, tmp_path=tmp_path)
    assert code == 2
    assert errors.splitlines()[-1] == (
        "fitreel: bad2.png is not a PNG or JPEG image that can be read"
    )
    assert not store.list_artifacts(run_id, "films")
    assert only_run(store).info.status == "FINISHED"


def test_over_a_server_the_film_is_the_same(
    store: MlflowClient, directory: Path, tmp_path: Path
) -> None:
    with Server(directory) as server:
        options = ("--images", "loss/surface", "--run", "theirs", "--tracking-uri", server.url)
        code, _, errors = animate(*options, directory=tmp_path, tmp_path=tmp_path)
    assert code == 0, errors
    film = store.download_artifacts(only_run(store).info.run_id, "films/loss-surface.gif")
    assert reds(film) == [step * 20 for step in STEPS]


def test_a_directory_becomes_a_file(directory: Path, tmp_path: Path) -> None:
    options = ("--images", "plots", "--out", str(tmp_path / "film.gif"), "--fps", "10")
    code, out, errors = animate(*options, directory=directory, tmp_path=tmp_path)
    assert (code, out) == (0, ""), errors
    assert reds(tmp_path / "film.gif") == [step * 20 for step in range(12)]
    assert errors.splitlines()[-1] == f"wrote {tmp_path / 'film.gif'}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--images", "plots"), "name the film of a directory with --out, or the run of a key"),
        (("--images", "masks"), "there is no run to read from; name one with --run"),
        (("--images", "missing", "--out", "a.gif"), "there is no directory missing"),
        (("--images", "plots", "--out", "missing/a.gif"), "there is no directory missing"),
        (("--images", "plots", "--out", "a.webm"), "ends in .gif or .mp4; got a.webm"),
        (("--images", "plots", "--out", "a.gif", "--run", "theirs"), "the film of a run goes into"),
        (("--out", "a.gif"), "add --images DIRECTORY"),
    ],
)
def test_what_does_not_fit_is_one_line(
    directory: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    code, out, errors = animate(*options, directory=directory, tmp_path=tmp_path)
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert message in errors


def test_names_of_images_are_read_as_all_versions_of_mlflow_wrote_them() -> None:
    paths = [
        "images/a~b+step+2+timestamp+7+0-1.png",
        "images/a~b+step+2+timestamp+9+0-2.png",
        "images/a~b+step+2+timestamp+9+0-2+compressed.webp",
        "images/a#b%step%10%timestamp%7%0-3.png",
        "images/a~b+step+-1+timestamp+7+0-4.png",
        "images/c+step+1+timestamp+7+0-5.png",
        "images/c+step+x+timestamp+7+0-6.png",
        "images/plain.png",
        "other/d+step+1+timestamp+7+0-7.png",
    ]
    assert step_images.keys(paths) == ["a/b", "c"]
    # Of two images of a step the later one.
    assert step_images.of_key(paths, "a/b") == [paths[4], paths[1], paths[3]]


@pytest.mark.parametrize(
    ("key", "file"),
    [
        ("loss/surface", "loss-surface.gif"),
        ("../../etc/passwd", "-..-etc-passwd.gif"),
        ("..", "film.gif"),
        ("/", "film.gif"),
        ("<img src=x>", "-img src-x-.gif"),
        ("é\n", "--.gif"),
        ("a" * 300, f"{'a' * 100}.gif"),
    ],
)
def test_the_name_of_a_film_means_nothing_in_a_path(key: str, file: str) -> None:
    assert film_file(key, "gif") == file
    assert Path(file).name == file


def test_images_that_are_too_large_are_refused_before_they_are_read(
    store: MlflowClient, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By the variable: an argument would stay the default of the tests that follow.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{directory}/mlflow.db")
    source = Tracker(may_create=False).source("theirs")
    for name, message in (
        ("LARGEST_IMAGE", r"loss~surface.*bytes; at most 10 are allowed"),
        ("LARGEST_IMAGES", r"^3 files has .*bytes; at most 10 are allowed"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"fitreel.tracking.source.{name}", 10)
            with pytest.raises(ValueError, match=message), source.images("loss/surface", 400):
                pass
    assert store.list_artifacts(only_run(store).info.run_id, "images")
