"""The choice of a live view: the one that is asked for, or the first that works."""

from fitreel.live.view import LiveView
from fitreel.settings import LiveSettings


def open_view(settings: LiveSettings) -> LiveView | None:
    """Return an open view, or None if none is wanted; OSError if it cannot be opened."""
    if settings.live == "off":
        return None
    if settings.live == "terminal":
        from fitreel.live.terminal import TerminalView

        return TerminalView(settings.pace)
    from fitreel.live.window import LiveWindow

    return LiveWindow(settings.pace)
