"""The live views of the library's own calls: opened for one, and closed however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import fitreel
from fitreel.data.dataset import Dataset
from fitreel.live.choice import open_for_library
from fitreel.live.hook import LiveHook
from fitreel.live.view import LiveView
from fitreel.reel.reel import Reel
from fitreel.settings import LiveName, TrainingSettings
from fitreel.training.history import History
from fitreel.training.state import Hook, Training


class WatchedFit:
    """A training by ``fit`` that is watched."""

    def __init__(self, view: LiveView, dataset: Dataset, settings: TrainingSettings) -> None:
        """Start the view."""
        self._view, self._dataset, self._name = view, dataset, settings.label
        self._hook = LiveHook(view, dataset, settings, self._name)

    def after(self, hook: Hook | None) -> Hook:
        """Return a hook that calls another one, if there is one, and then shows the epoch."""
        if hook is None:
            return self._hook

        def both(epoch: int, loss: float, training: Training) -> None:
            hook(epoch, loss, training)
            self._hook(epoch, loss, training)

        return both

    def finish(self, history: History) -> None:
        """Show the trained network, and then the finished player."""
        self._hook.show_end(history)
        with TemporaryDirectory() as folder:
            page = Path(folder) / "player.html"
            fitreel.write_player(self._dataset, history, page, self._name)
            self._view.finish(page)


@contextmanager
def open_while(live: bool | LiveName, pace: float) -> Iterator[LiveView | None]:
    """Open a live view for the block, and close it however that ends; None if none is wanted."""
    view = open_for_library(live, pace)
    try:
        yield view
    finally:
        if view:
            view.close()


@contextmanager
def watching(
    dataset: Dataset, settings: TrainingSettings, live: bool | LiveName, pace: float
) -> Iterator[WatchedFit | None]:
    """Watch a training by ``fit`` in the block; None if nobody wants to."""
    with open_while(live, pace) as view:
        yield WatchedFit(view, dataset, settings) if view else None


@contextmanager
def showing(view: LiveView | None, reel: Reel, name: str) -> Iterator[None]:
    """Show a reel that grows in the block on a view, if there is one."""
    if view is None:
        yield
        return
    view.start(reel.dataset, reel.probes, None, name)
    reel.listeners.append(view)
    try:
        yield
        reel.finish()
    finally:
        # Behind an error nothing may wait, as a paused view does.
        reel.listeners.remove(view)
