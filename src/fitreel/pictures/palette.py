"""The palette: the few colours that all frames of a GIF share."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fitreel.pictures.backdrop import Pixels, rgb
from fitreel.pictures.camera import FilmCamera

COLOURS = 255  # and one that is transparent
FLAT_COLOURS = 32  # of these that are taken as they are, the most frequent ones
SAMPLE = 10 * 640 * 480  # pixels that the colours are chosen from; of large frames ten
CELLS = 4096  # whose nearest colours are found at once
Indices = NDArray[np.uint8]  # places in the palette


class Palette:
    """The colours that all frames of a film share."""

    def __init__(self, camera: FilmCamera, frames: int) -> None:
        """Choose the colours from the background and what moves in a few frames of the film."""
        seen = [camera.background.ravel()]
        sampled = max(10, SAMPLE // camera.background.size)
        for frame in np.unique(np.linspace(0, frames - 1, sampled).astype(int)):
            pixels = camera.shoot(frame)
            seen.append(pixels[pixels != camera.background])
        words, counts = np.unique(np.concatenate(seen), return_counts=True)
        common = words[np.argsort(-counts)[:FLAT_COLOURS]]
        # Median cut would spend all colours on the white: no colour counts more than 200 times.
        sample = Image.fromarray(rgb(np.repeat(words, np.minimum(counts, 200)))[None])
        blends = sample.quantize(COLOURS - FLAT_COLOURS).getpalette() or []
        colours = np.concatenate([rgb(common), np.reshape(blends, (-1, 3)).astype(np.uint8)])
        self._colours = np.unique(colours, axis=0)
        self.transparent = np.uint8(len(self._colours))  # means: as in the frame before
        # Nearest colours, found when first asked for: six bits a channel, -1 for unknown.
        self._nearest = np.full(1 << 18, -1, dtype=np.int16)
        # The most frequent colours are shown exactly, the most frequent of a cell if they share it.
        for word, colour in zip(common[::-1], rgb(common[::-1]), strict=True):
            self._nearest[_cells(word)] = (self._colours == colour).all(axis=1).argmax()

    def index(self, pixels: Pixels) -> Indices:
        """Return the index of each pixel's nearest colour."""
        cells = _cells(pixels)
        unknown = np.unique(cells[self._nearest[cells] < 0])
        # A part at a time: a photograph has so many that their distances would take a gigabyte.
        for first in range(0, len(unknown), CELLS):
            self._find_nearest(unknown[first : first + CELLS])
        indices: Indices = self._nearest[cells].astype(np.uint8)
        return indices

    def _find_nearest(self, cells: NDArray[np.integer]) -> None:
        # By the middle of a cell: it has four values of each channel. In int32, because squares
        # overflow uint8.
        channels = np.stack([cells & 63, cells >> 6 & 63, cells >> 12], axis=-1)
        middles = channels.astype(np.int32) * 4 + 2  # (cells, 3)
        distances = np.square(middles[:, None] - self._colours[None].astype(np.int32)).sum(-1)
        self._nearest[cells] = distances.argmin(axis=1)

    def __bytes__(self) -> bytes:
        return self._colours.tobytes() + bytes(3)  # black stands for transparent


def _cells(pixels: Pixels) -> NDArray[np.integer]:
    red, green, blue = pixels >> 2 & 63, pixels >> 10 & 63, pixels >> 18 & 63
    return red | green << 6 | blue << 12
