"""The camera of images: files that others drew, one a frame, fitted into the largest of them."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from fitreel.checks.files import check_size
from fitreel.checks.text import shown
from fitreel.pictures.backdrop import Pixels
from fitreel.pictures.image_files import LARGEST_IMAGE

FORMATS = ("PNG", "JPEG")
LONGEST_SIDE = 1600  # pixels of a film
WHITE = np.uint32(0xFFFFFFFF)
Found = TypeVar("Found")


class ImageCamera:
    """A camera that shows image files, on white where they are transparent or smaller.

    Only the shown one is in the memory.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        """Read the sizes of the images; ValueError names a file that is not a PNG or a JPEG."""
        if not files:
            raise ValueError("a film needs an image or more")
        self._files = files
        sizes = [_read(file, lambda image: image.size) for file in files]
        self.size = _film_size(max(sizes, key=lambda size: size[0] * size[1]))
        width, height = self.size
        self.background: Pixels = np.full((height, width), WHITE)

    def shoot(self, frame: int) -> Pixels:
        """Return the pixels of an image; ValueError names a file that cannot be read."""
        picture = _read(self._files[frame], _on_white)
        fitted = ImageOps.pad(picture, self.size, color="white").convert("RGBA")
        return np.asarray(fitted).view("<u4")[..., 0]


def _film_size(largest: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a film: that of the largest image, or less, in even numbers for mp4."""
    shrunk = min(1.0, LONGEST_SIDE / max(largest))
    width, height = (max(2, round(side * shrunk / 2) * 2) for side in largest)
    return width, height


def _read(file: Path, look: Callable[[Image.Image], Found]) -> Found:
    name = shown(file.name)
    check_size(name, file.stat().st_size, LARGEST_IMAGE)
    try:
        with warnings.catch_warnings():
            # Pillow only warns of a small file that becomes many pixels, up to twice its limit.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                return look(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{name} has too many pixels: {error}") from None
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError) as error:
        # Not with Pillow's text: it names the whole path, which may be that of a copy.
        raise ValueError(f"{name} is not a PNG or JPEG image that can be read") from error


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, of which Pillow would cut the brightest off
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
