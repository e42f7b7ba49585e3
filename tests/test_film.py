import re
from pathlib import Path
from typing import get_args

import imageio.v3 as iio
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import GifImagePlugin, Image, ImageSequence

from fitreel.comparison.compared import OwnRun
from fitreel.comparison.grid import render_grid
from fitreel.comparison.runs import compare
from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.pictures.backdrop import rgb
from fitreel.pictures.camera import SIZE, Camera
from fitreel.pictures.figures import LINE_COLOUR
from fitreel.pictures.film import render
from fitreel.reel.of_history import record
from fitreel.settings import FilmFormat, FilmSettings, TrainingSettings
from fitreel.sweep.films import render_films
from fitreel.training.loop import Fit, TrainingDiverged, fit


def durations(path: Path) -> list[int]:
    with Image.open(path) as film:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(film)]


def test_the_default_film_has_201_frames_of_640_by_480(tmp_path: Path) -> None:
    dataset = generate()
    render(dataset, fit(dataset).history, tmp_path / "rst.gif")
    with Image.open(tmp_path / "rst.gif") as film:
        assert (film.size, film.info["loop"]) == (SIZE, 0)
    assert durations(tmp_path / "rst.gif") == [50] * 200 + [1500]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, trained: Fit) -> Path:
    path = tmp_path_factory.mktemp("film") / "rst.gif"
    render(dataset, trained.history, path)
    return path


def test_every_frame_of_the_gif_is_the_picture_of_the_camera(
    film: Path, dataset: Dataset, trained: Fit
) -> None:
    camera = Camera(record(dataset, trained.history, 400))
    frames = iio.imread(film)[..., :3].astype(int)
    assert len(frames) == 13
    for number, frame in enumerate(frames):
        error = np.abs(frame - rgb(camera.shoot(number)))
        assert error.mean() < 0.2
        assert np.quantile(error, 0.999) < 32


@pytest.mark.parametrize("name", ["getheader", "getdata"])
def test_without_pillows_legacy_functions_the_gif_is_the_same(
    film: Path,
    tmp_path: Path,
    dataset: Dataset,
    trained: Fit,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(GifImagePlugin, name)
    done = list[int]()
    render(dataset, trained.history, tmp_path / "rst.gif", on_frame=done.append)
    assert done == list(range(1, 14))
    assert durations(tmp_path / "rst.gif") == durations(film)
    assert np.array_equal(iio.imread(tmp_path / "rst.gif"), iio.imread(film))


def test_the_red_line_of_the_gif_is_where_the_prediction_is(
    film: Path, dataset: Dataset, trained: Fit
) -> None:
    shown = record(dataset, trained.history, 400)
    transform = Camera(shown).axes.transData
    red = np.array(to_rgb(LINE_COLOUR)) * 255
    for number, frame in enumerate(iio.imread(film)[..., :3]):
        places = transform.transform(np.stack([shown.probes.x, shown.predictions[number]], axis=1))
        for across, up in places[5:-5:10]:
            assert frame[SIZE[1] - 1 - int(up), int(across)] == pytest.approx(red, abs=8)


@pytest.mark.parametrize(("fps", "expected"), [(20, 600), (30, 400), (7, 1710), (50, 240)])
def test_frames_have_their_duration_in_hundredths_of_a_second(
    tmp_path: Path, dataset: Dataset, trained: Fit, fps: int, expected: int
) -> None:
    render(dataset, trained.history, tmp_path / "rst.gif", FilmSettings(fps=fps))
    *moving, last = durations(tmp_path / "rst.gif")
    assert sum(moving) == pytest.approx(1000 * 12 / fps, abs=10)
    assert sum(moving) == expected
    assert last == 1500


def test_a_film_can_have_one_frame(tmp_path: Path, dataset: Dataset) -> None:
    with pytest.raises(TrainingDiverged) as error:
        fit(dataset, TrainingSettings(lr=1e6, frame_every=100))
    assert error.value.history
    render(dataset, error.value.history, tmp_path / "rst.gif")
    assert durations(tmp_path / "rst.gif") == [1500]


# imageio's reader does not close the pipes of its ffmpeg.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_mp4_shows_the_last_frame_for_a_second_and_a_half(
    tmp_path: Path, dataset: Dataset, trained: Fit
) -> None:
    path = tmp_path / "rst.mp4"
    render(dataset, trained.history, path, FilmSettings(format="mp4", fps=10))
    meta = iio.immeta(path, plugin="FFMPEG")
    frames = iio.imread(path, plugin="FFMPEG")
    assert (meta["codec"], meta["fps"], meta["size"]) == ("h264", 10, SIZE)
    assert len(frames) == 12 + 15
    camera = Camera(record(dataset, trained.history, 400))
    assert np.abs(frames[-1].astype(int) - rgb(camera.shoot(12))).mean() < 3


@pytest.mark.parametrize("name", get_args(FilmFormat))
def test_every_frame_is_reported(
    tmp_path: Path, dataset: Dataset, trained: Fit, name: FilmFormat
) -> None:
    seen: list[int] = []
    settings = FilmSettings(format=name, max_frames=5)
    render(dataset, trained.history, tmp_path / f"a.{name}", settings, seen.append)
    assert seen == [1, 2, 3, 4, 5]


def test_the_gif_is_complete(film: Path) -> None:
    assert film.read_bytes().endswith(b";")


def test_the_film_may_have_any_name(tmp_path: Path, dataset: Dataset, trained: Fit) -> None:
    render(dataset, trained.history, tmp_path / "film", FilmSettings(max_frames=2))
    assert (tmp_path / "film").read_bytes().startswith(b"GIF89a")


def signature(path: Path) -> bytes:
    """Return the bytes that identify the format of a film."""
    data = path.read_bytes()[:8]
    return data[:6] if data.startswith(b"GIF") else data[4:]


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("x.mp4", FilmSettings(max_frames=2), b"ftyp"),
        ("x.MP4", FilmSettings(max_frames=2, format="mp4"), b"ftyp"),
        ("x.gif", FilmSettings(max_frames=2), b"GIF89a"),
    ],
)
def test_the_suffix_determines_the_format(
    tmp_path: Path,
    dataset: Dataset,
    trained: Fit,
    name: str,
    settings: FilmSettings,
    expected: bytes,
) -> None:
    path = tmp_path / name
    render(dataset, trained.history, str(path), settings)
    assert signature(path) == expected


@pytest.mark.parametrize(
    ("name", "form", "message"),
    [
        ("x.webm", "gif", "the name of a film ends in .gif or .mp4; got x.webm"),
        ("film", "mp4", "the name of a film ends in .gif or .mp4; got film"),
        ("x.gif", "mp4", "the name of a film ends in .mp4, as its format is mp4; got x.gif"),
    ],
)
def test_a_name_that_contradicts_the_format_is_reported(
    tmp_path: Path, dataset: Dataset, trained: Fit, name: str, form: FilmFormat, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        render(dataset, trained.history, tmp_path / name, FilmSettings(format=form))
    assert not list(tmp_path.iterdir())


def test_films_of_several_runs_are_gifs(tmp_path: Path, dataset: Dataset, trained: Fit) -> None:
    runs = [OwnRun(f"{place}", f"{place}", {}, {}, dataset, trained.history) for place in range(2)]
    path = str(tmp_path / "x.mp4")
    with pytest.raises(ValueError, match=r"ends in \.gif; got x\.mp4"):
        render_grid(compare(runs), path)
    for films in (runs, runs[:1]):
        with pytest.raises(ValueError, match=r"ends in \.gif; got x\.mp4"):
            render_films(films, "loss", path)
    assert not list(tmp_path.iterdir())
