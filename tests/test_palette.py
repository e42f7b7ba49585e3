import numpy as np
import pytest

from fitreel.data.dataset import Dataset
from fitreel.pictures.backdrop import rgb
from fitreel.pictures.camera import Camera
from fitreel.pictures.palette import COLOURS, Palette
from fitreel.reel.of_history import record
from fitreel.training.loop import Fit


@pytest.fixture(scope="module")
def camera(dataset: Dataset, trained: Fit) -> Camera:
    return Camera(record(dataset, trained.history, 400))


def test_all_frames_look_the_same_in_the_palette(camera: Camera) -> None:
    palette = Palette(camera, 13)
    colours = np.frombuffer(bytes(palette), np.uint8).reshape(-1, 3).astype(int)
    for frame in range(13):
        pixels = camera.shoot(frame)
        error = np.abs(colours[palette.index(pixels)] - rgb(pixels))
        assert error.mean() < 0.2
        assert np.quantile(error, 0.999) < 32
    white = np.full(1, 0xFFFFFFFF, np.uint32)
    assert colours[palette.index(white)].tolist() == [[255, 255, 255]]


def test_all_entries_differ_and_the_last_is_transparent(camera: Camera) -> None:
    palette = Palette(camera, 13)
    colours = np.frombuffer(bytes(palette), np.uint8).reshape(-1, 3)
    visible = colours[: int(palette.transparent)]
    assert len(np.unique(visible, axis=0)) == len(visible) == len(colours) - 1
    assert len(visible) <= COLOURS
    assert palette.index(camera.background).max() < palette.transparent
