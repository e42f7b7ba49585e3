"""Films of images: the camera of images, the order of files, the film itself."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from fitreel.pictures.backdrop import rgb
from fitreel.pictures.film import render_images
from fitreel.pictures.image_camera import LONGEST_SIDE, ImageCamera
from fitreel.pictures.image_files import images_in, images_in_order
from fitreel.settings import FilmSettings
from tests.test_film import durations

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def image(path: Path, size: tuple[int, int], colour: object = RED, mode: str = "RGB") -> Path:
    Image.new(mode, size, colour).save(path)  # type: ignore[arg-type]
    return path


def colour(camera: ImageCamera, frame: int, x: int, y: int) -> tuple[int, ...]:
    return tuple(rgb(camera.shoot(frame))[y, x].tolist())


def test_files_are_in_the_order_of_the_numbers_in_their_names() -> None:
    found = ["e10.png", "e9.png", "E2.PNG", "e1.jpg", "notes.txt", "e1_b12.jpeg", "e1_b3.jpeg"]
    wanted = ["e1.jpg", "e1_b3.jpeg", "e1_b12.jpeg", "E2.PNG", "e9.png", "e10.png"]
    assert images_in_order(found) == wanted


def test_a_directory_without_images_or_none_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match=r"has no image: no file that ends in \.png"):
        images_in(tmp_path)
    with pytest.raises(ValueError, match="there is no directory"):
        images_in(tmp_path / "missing")


def test_the_largest_image_gives_the_size_and_others_are_centred_on_white(tmp_path: Path) -> None:
    wide = image(tmp_path / "1.png", (40, 20))
    tall = image(tmp_path / "2.png", (10, 40), BLUE)
    camera = ImageCamera([tall, wide])
    assert camera.size == (40, 20)
    assert colour(camera, 1, 0, 0) == colour(camera, 1, 39, 19) == RED
    # 10 by 40 becomes 5 by 20, in the middle.
    assert [colour(camera, 0, x, 10) for x in (15, 20, 24)] == [WHITE, BLUE, WHITE]


def test_a_size_is_even_and_not_too_large(tmp_path: Path) -> None:
    assert ImageCamera([image(tmp_path / "odd.png", (31, 17))]).size == (32, 16)
    assert ImageCamera([image(tmp_path / "dot.png", (1, 1))]).size == (2, 2)
    large = ImageCamera([image(tmp_path / "large.png", (4000, 1000))])
    assert large.size == (LONGEST_SIDE, LONGEST_SIDE // 4)


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    half = image(tmp_path / "half.png", (4, 4), (0, 0, 0, 128), "RGBA")
    none = image(tmp_path / "none.png", (4, 4), (9, 9, 9, 0), "RGBA")
    camera = ImageCamera([half, none])
    assert colour(camera, 0, 1, 1) == (127, 127, 127)
    assert colour(camera, 1, 1, 1) == WHITE


@pytest.mark.parametrize(
    ("mode", "value", "seen"),
    [("L", 100, 100), ("1", 1, 255), ("LA", (80, 255), 80), ("P", 0, 0)],
)
def test_every_kind_of_colours_is_shown(
    tmp_path: Path, mode: str, value: object, seen: int
) -> None:
    camera = ImageCamera([image(tmp_path / "a.png", (4, 4), value, mode)])
    assert colour(camera, 0, 2, 2) == (seen, seen, seen)


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 0x80FF, np.uint16)).save(tmp_path / "deep.png")
    assert colour(ImageCamera([tmp_path / "deep.png"]), 0, 0, 0) == (0x80, 0x80, 0x80)


# imageio's reader does not close the pipes of its ffmpeg.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_film_has_a_frame_for_each_image_and_holds_the_last(tmp_path: Path) -> None:
    files = [image(tmp_path / f"{step}.png", (30, 20), (step * 20, 0, 0)) for step in range(10)]
    render_images(files, tmp_path / "film.gif", FilmSettings(fps=10))
    frames = iio.imread(tmp_path / "film.gif")
    assert frames[:, 5, 5, 0].tolist() == [step * 20 for step in range(10)]
    assert durations(tmp_path / "film.gif") == [100] * 9 + [1500]
    render_images(files, tmp_path / "film.mp4", FilmSettings(fps=10))
    assert iio.imread(tmp_path / "film.mp4", plugin="FFMPEG").shape == (9 + 15, 20, 30, 3)


def test_more_than_max_frames_are_thinned_evenly(tmp_path: Path) -> None:
    files = [image(tmp_path / f"{step}.png", (8, 8), (step * 20, 0, 0)) for step in range(11)]
    render_images(files, tmp_path / "film.gif", FilmSettings(max_frames=3))
    assert iio.imread(tmp_path / "film.gif")[:, 5, 5, 0].tolist() == [0, 100, 200]


def damaged(path: Path) -> Path:
    """Write an image whose end is missing."""
    noise = np.random.default_rng(0).integers(0, 255, (50, 50, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    return path


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg"])
def test_a_damaged_image_is_named_without_its_folder(tmp_path: Path, name: str) -> None:
    files = [image(tmp_path / "good.png", (50, 50)), damaged(tmp_path / name)]
    with pytest.raises(ValueError, match=f"^{name} is not a PNG or JPEG image that can be read$"):
        render_images(files, tmp_path / "film.gif")


def test_other_files_with_the_name_of_an_image_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("<svg/>")
    (tmp_path / "empty.png").touch()
    Image.new("RGB", (4, 4)).save(tmp_path / "other.png", "TIFF")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    for name, reason in {
        "text": "is not a PNG",
        "empty": "is empty",
        "other": "is not a PNG",
        "device": "is empty, or not a regular file",
    }.items():
        with pytest.raises(ValueError, match=rf"^{name}\.png {reason}"):
            ImageCamera([tmp_path / f"{name}.png"])


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("share", [0.9, 0.4])
def test_a_small_file_with_too_many_pixels_is_refused(
    tmp_path: Path, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pillow warns above its limit, and raises above twice of it.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(100 * 100 * share))
    file = image(tmp_path / "bomb.png", (100, 100))
    with pytest.raises(ValueError, match=r"^bomb\.png has too many pixels"):
        ImageCamera([file])
