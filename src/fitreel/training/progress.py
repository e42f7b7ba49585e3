"""The progress bar of a training: in a notebook, on a terminal, on standard error."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from fitreel.training.state import Hook, Training


@contextmanager
def progress_bar(epochs: int, start: int, on_epoch: Hook | None) -> Iterator[Hook]:
    """Show a bar with the loss; yield the hook that moves it and calls ``on_epoch``."""
    # Rich's bars stay empty in a notebook without ipywidgets; tqdm's become text there, and
    # ipywidgets are only recommended by a warning.
    with warnings.catch_warnings(action="ignore"):
        from tqdm.auto import tqdm
    with tqdm(total=epochs, initial=start, desc="fit", unit="epoch") as bar:

        def advance(epoch: int, loss: float, training: Training) -> None:
            if on_epoch is not None:
                on_epoch(epoch, loss, training)
            bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            bar.update()

        yield advance
