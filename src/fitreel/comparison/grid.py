"""The grid: the films of several runs next to each other and in step, compare.gif."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.transforms import Bbox

from fitreel.comparison.captions import run_captions
from fitreel.comparison.runs import Comparison
from fitreel.comparison.timeline import Timeline, timeline
from fitreel.pictures.backdrop import DPI, Backdrop, Pixels
from fitreel.pictures.figures import INK
from fitreel.pictures.film import film_format
from fitreel.pictures.fitted_text import fitted
from fitreel.pictures.gif import write_gif
from fitreel.pictures.views.cell import Cell
from fitreel.pictures.views.choice import new_view
from fitreel.pictures.views.readout import Readout
from fitreel.pictures.views.view import View
from fitreel.reel.probes import kind_of
from fitreel.reel.recording import Recording

MOST_WIDE = 1600  # pixels, the whole picture
NARROW = 800  # pixels; what a column of text has room for
WIDEST_CELL = 400
NARROW_RUNS = 9  # at most, in a narrow picture
NARROW_COLUMNS = 3  # of a narrow picture: its cells are large
LEAST_STEPS, MOST_STEPS = 100, 200  # of a film: fewer for many runs, which bounds its bytes
MOST_CELLS_DRAWN = 4500  # in all steps together, where that leaves steps enough
LARGE = 260  # pixels across from which a cell has room for numbers at its axes


@dataclass(frozen=True)
class Layout:
    """The layout of the cells: sizes in pixels, the first cell at the upper left."""

    columns: int
    rows: int
    width: int  # of a cell
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole picture."""
        return self.columns * self.width, self.rows * self.height

    def corner(self, place: int) -> tuple[int, int]:
        """Return the lower left corner of a cell, from the lower left of the picture."""
        row, column = divmod(place, self.columns)
        return column * self.width, (self.rows - 1 - row) * self.height


def layout(cells: int) -> Layout:
    """Return the grid for so many cells: wider than high if they are many, few places empty."""
    most = NARROW_COLUMNS if cells <= NARROW_RUNS else cells
    rows = math.ceil(cells / min(most, math.ceil(math.sqrt(1.6 * cells))))
    columns = math.ceil(cells / rows)
    width = min(WIDEST_CELL, (NARROW if cells <= NARROW_RUNS else MOST_WIDE) // columns)
    shape = 0.6 if cells > NARROW_RUNS or width == WIDEST_CELL else 0.7  # height of its width
    return Layout(columns, rows, width, round(shape * width) + 44)


class GridCamera:
    """A camera that draws the frames of several films at once, each in its own cell."""

    def __init__(self, films: Sequence[Recording], names: Sequence[str]) -> None:
        grid = layout(len(films))
        self.size = grid.size
        self._films = films
        self._backdrop = Backdrop(grid.size)
        large = grid.width >= LARGE
        letters = 11 if large else 9  # points: capitals are 9 pixels high or more
        weight = "bold" if large else "normal"
        line = math.ceil(1.25 * letters * DPI / 72)  # pixels from one line of text to the next
        loss = min(16, grid.width // 20) if large else letters
        self._readout = Readout(loss, letters)
        self._line = line
        # Above the axes there is no room for epoch and losses in one line.
        self._small_readout = Readout(letters if large else 0.85 * letters, letters)
        self._strip = math.ceil(1.7 * loss * DPI / 72)  # pixels below the points
        self.cells = []
        left, right, bottom = (44, 12, 26) if large else (8, 6, 8)
        for place, (film, name) in enumerate(zip(films, names, strict=True)):
            x, y = grid.corner(place)
            top = y + grid.height - 2 * line - 6
            up = top - y - bottom - (0 if _has_strip(film) else line)
            self.cells.append(
                self._cell(film, (x + left, y + bottom, grid.width - left - right, up), large)
            )
            self._backdrop.figure.text(
                x + left,
                top + line + 5,
                fitted(name, grid.width - left - right, letters, weight),
                color=INK,
                size=letters,
                weight=weight,
                transform=None,
                parse_math=False,  # a name is text, whatever it holds
                clip_box=Bbox.from_bounds(x, y, grid.width, grid.height),
                clip_on=True,
            )
        self.background = self._backdrop.draw()

    def _cell(self, film: Recording, box: tuple[int, int, int, int], large: bool) -> View:
        (x, y, across, up), (width, height) = box, self.size
        place = Cell(
            (x / width, y / height, across / width, up / height),
            scale=max(0.5, across / 560),  # 560 pixels are the width of the axes in rst.gif
            # From up = (strip + 1.1) × height in pixels: a tenth is left above the points.
            strip=1.1 * self._strip / (up - self._strip) if _has_strip(film) else 0.1,
            is_alone=False,
        )
        cell = new_view(self._backdrop.figure, film, place)
        if large:
            cell.axes.tick_params(labelsize=9)
            cell.axes.locator_params(nbins=5)
        else:
            cell.axes.tick_params(labelbottom=False, labelleft=False, length=0)
        return cell

    def shoot(self, frame: int) -> Pixels:
        """Draw a frame of every film; the array is valid until the next is drawn."""
        renderer = self._backdrop.restore()
        for film, cell in zip(self._films, self.cells, strict=True):
            cell.draw(self._backdrop, film, frame)
            if _has_strip(film):
                self._readout.draw_inside(renderer, cell.axes.bbox, film, frame)
            else:
                self._small_readout.draw_in_two_lines(
                    renderer, cell.axes.bbox, film, frame, self._line
                )
        return self._backdrop.pixels()


def render_grid(
    comparison: Comparison,
    path: Path | str,
    fps: int = 20,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Write the films of all runs, in step, to ``path``; ``on_frame(done)`` after each frame.

    It is a gif: ValueError where ``path`` has another suffix.
    """
    film_format(path, possible=("gif",))
    runs, steps = comparison.runs, _steps(comparison)
    films = [run.record(frames) for run, frames in zip(runs, steps.frames, strict=True)]
    camera = GridCamera(films, run_captions(comparison))
    write_gif(camera, len(steps.moments), Path(path), fps, on_frame)


def count_frames(comparison: Comparison) -> int:
    """Count the frames that the film of a comparison has."""
    return len(_steps(comparison).moments)


def _steps(comparison: Comparison) -> Timeline:
    runs = comparison.runs
    return timeline(runs, most_steps(len(runs)), comparison.align)


def is_narrow(comparison: Comparison) -> bool:
    """Return whether the film is at most 800 pixels wide, like a column of text."""
    return layout(len(comparison.runs)).size[0] <= NARROW


def most_steps(runs: int) -> int:
    """Return the most frames that a film of so many runs has."""
    return min(MOST_STEPS, max(LEAST_STEPS, MOST_CELLS_DRAWN // runs))


def _has_strip(film: Recording) -> bool:
    """Return whether the loss is below the points: one loss fits there, two do not."""
    return kind_of(film.dataset) == "curve" and film.test_losses is None
