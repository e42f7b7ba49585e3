"""The controls of a live view: the pace of the frames, a pause, and the stop."""

import threading
import time

TICK = 0.05  # seconds, in which a signal reaches the thread that waits


class Controls:
    """What a viewer asks for, from any thread, and the thread that trains obeys."""

    def __init__(self, pace: float = 0.0) -> None:
        """Wait ``pace`` seconds after each frame."""
        self.pace = pace
        self._running = threading.Event()
        self._running.set()
        self._stopped = False

    @property
    def is_paused(self) -> bool:
        """Whether the training waits."""
        return not self._running.is_set()

    def pause(self) -> None:
        """Make the training wait after its next frame."""
        self._running.clear()

    def resume(self) -> None:
        """Make the training continue."""
        self._running.set()

    def stop(self) -> None:
        """End the training as Ctrl-C does."""
        self._stopped = True
        self._running.set()

    def check(self) -> None:
        """Raise KeyboardInterrupt if the training was stopped; called at every point."""
        if self._stopped:
            raise KeyboardInterrupt

    def rest(self, seconds: float) -> None:
        """Wait for so many seconds while nothing comes."""
        self.check()
        time.sleep(seconds)
        self.check()

    def wait(self) -> None:
        """Wait for the pace, and while the training is paused; called after every frame."""
        self.check()
        if self.pace:
            time.sleep(self.pace)
        while not self._running.wait(TICK):
            pass
        self.check()
