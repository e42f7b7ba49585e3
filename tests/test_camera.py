import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fitreel.data.dataset import Dataset
from fitreel.pictures.backdrop import rgb
from fitreel.pictures.camera import SIZE, Camera
from fitreel.pictures.figures import LINE_COLOUR
from fitreel.pictures.number_text import loss_text
from fitreel.reel.of_history import record
from fitreel.training.loop import Fit

RED = np.round(np.array(to_rgb(LINE_COLOUR)) * 255)


@pytest.fixture(scope="module")
def camera(dataset: Dataset, trained: Fit) -> Camera:
    return Camera(record(dataset, trained.history, 400))


def test_the_red_line_is_where_the_prediction_is(
    camera: Camera, dataset: Dataset, trained: Fit
) -> None:
    film = record(dataset, trained.history, 400)
    transform = camera.axes.transData
    for frame in (0, 3, 11):
        picture = rgb(camera.shoot(frame))
        places = transform.transform(np.stack([film.probes.x, film.predictions[frame]], axis=1))
        for across, up in places[5:-5:10]:
            assert picture[SIZE[1] - 1 - int(up), int(across)] == pytest.approx(RED, abs=2)


def test_only_line_and_numbers_move(camera: Camera) -> None:
    first, last = rgb(camera.shoot(0)).astype(int), rgb(camera.shoot(11)).astype(int)
    rows, columns = np.nonzero((first != last).any(axis=-1))
    inside = camera.axes.bbox
    above = rows < SIZE[1] - inside.y1
    assert columns[above].max() < SIZE[0] / 3  # the epoch, at the left
    assert rows.max() < SIZE[1] - inside.y0
    assert columns.min() > inside.x0 - 2
    assert columns.max() < inside.x1


def test_a_frame_does_not_depend_on_those_before(camera: Camera) -> None:
    before = camera.shoot(2).copy()
    camera.shoot(7)
    assert np.array_equal(before, camera.shoot(2))


def test_numbers_look_as_matplotlib_draws_them(camera: Camera) -> None:
    # The strip of the loss has pixels in the line's colour; without a frame nothing has.
    inside = camera.axes.bbox
    strip = slice(SIZE[1] - int(inside.y0) - 38, SIZE[1] - int(inside.y0) - 6)
    middle = slice(int(inside.x0 + inside.x1) // 2 - 90, int(inside.x0 + inside.x1) // 2 + 90)
    ink = (rgb(camera.shoot(11))[strip, middle] == RED).all(axis=-1).sum()
    empty = (rgb(camera.background)[strip, middle] == RED).all(axis=-1).sum()
    assert ink > 300
    assert empty == 0


def test_losses_have_four_decimals_and_huge_ones_a_power_of_ten() -> None:
    assert loss_text(0.01234) == "0.0123"
    assert loss_text(99999) == "99999.0000"
    assert loss_text(1.5e30) == "1.5000e+30"
