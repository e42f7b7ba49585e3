"""The readout: the epoch and the losses of a frame, at places that stay."""

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.transforms import BboxBase

from fitreel.pictures.figures import INK, LINE_COLOUR
from fitreel.pictures.number_text import NumberText, decimals_of, loss_text
from fitreel.pictures.views.colours import TEST_COLOUR
from fitreel.reel.recording import Recording

GAP = 14  # pixels from the loss to that of the test rows


class Readout:
    """The texts of one size, for one film or for all cells of a grid."""

    def __init__(self, loss_size: float, epoch_size: float, step_name: str = "epoch") -> None:
        """Draw the characters: those of the losses and of the epoch, so many points high."""
        self._loss = NumberText("Loss=", loss_size, LINE_COLOUR)
        self._test = NumberText("test ", loss_size, TEST_COLOUR)
        self._epoch = NumberText(f"{step_name} ", epoch_size, INK)

    def draw_inside(
        self, renderer: RendererAgg, box: BboxBase, reel: Recording, frame: int, up: float = 0
    ) -> None:
        """Draw the epoch ``up`` pixels above the axes, the losses below a curve's points."""
        left = (box.x0 + box.x1 - self.width(reel)) / 2
        self._draw_losses(renderer, left, box.y0, reel, frame)
        self._epoch.draw(renderer, box.x0, box.y1 + up, str(reel.epochs[frame]))

    def draw_above(
        self, renderer: RendererAgg, box: BboxBase, reel: Recording, frame: int, up: float = 0
    ) -> None:
        """Draw all of it above the axes, ``up`` pixels higher; the losses end at the right."""
        y = box.y1 + up + self._epoch.baseline - self._loss.baseline
        self._draw_losses(renderer, box.x1 - self.width(reel), y, reel, frame)
        self._epoch.draw(renderer, box.x0, box.y1 + up, str(reel.epochs[frame]))

    def draw_in_two_lines(
        self, renderer: RendererAgg, box: BboxBase, reel: Recording, frame: int, line: int
    ) -> None:
        """Draw the losses above the axes and the epoch a line higher, both from the left."""
        self._draw_losses(renderer, box.x0, box.y1, reel, frame)
        self._epoch.draw(renderer, box.x0, box.y1 + line, str(reel.epochs[frame]))

    def width(self, reel: Recording) -> int:
        """Return the width of the losses in pixels, the same for all frames of a reel."""
        loss, test = self._widths(reel)
        return loss if reel.test_losses is None else loss + GAP + test

    def _draw_losses(
        self, renderer: RendererAgg, left: float, y: float, reel: Recording, frame: int
    ) -> None:
        if reel.test_losses is None:
            # In a width that stays: with its own the text would jump from frame to frame.
            self._loss.draw(renderer, left, y, loss_text(reel.losses[frame], _decimals(reel)))
            return
        (loss, test), decimals = self._widths(reel), _decimals(reel)
        self._loss.draw(renderer, left, y, loss_text(reel.losses[frame], decimals), loss)
        text = loss_text(reel.test_losses[frame], decimals)
        self._test.draw(renderer, left + loss + GAP, y, text, test)

    def _widths(self, reel: Recording) -> tuple[int, int]:
        """Return the width of the two losses with the longest numbers of the reel."""
        decimals = _decimals(reel)
        # The longest text is that of the greatest loss, or of a small one among powers of ten.
        longest = [
            max((loss_text(each, decimals) for each in (losses.max(), losses.min())), key=len)
            for losses in (reel.losses, reel.test_losses)
            if losses is not None
        ]
        test = 0 if reel.test_losses is None else self._test.width(longest[1])
        return self._loss.width(longest[0]), test


def _decimals(reel: Recording) -> int:
    """Return the decimals of a film; drawn points have four, as in the original."""
    is_ours = reel.step_name == "epoch"
    if is_ours and reel.dataset.scaling is None and reel.test_losses is None:
        return 4
    tested = 0.0 if reel.test_losses is None else reel.test_losses[-1]
    return decimals_of(max(reel.losses[-1], tested))
