"""The choice of a live view: the one that is asked for, or the first that works."""

import sys
from contextlib import suppress

from fitreel.live.graphics import can_open_browser, has_display, has_qt
from fitreel.live.view import LiveView
from fitreel.settings import LiveName, LiveSettings

# The views are imported when they are opened: each needs packages that the others do not.


def open_view(settings: LiveSettings) -> LiveView | None:
    """Return an open view, or None if none is wanted; OSError if it cannot be opened."""
    match settings.live:
        case "off":
            return None
        case "window":
            return _open_window(settings.pace)
        case "browser":
            return _open_browser(settings.pace)
        case "terminal":
            return _open_terminal(settings.pace)
    return _open_first(settings.pace)


def open_for_library(live: bool | LiveName, pace: float = 0.0) -> LiveView | None:
    """Return an open view for a call of the library, in a notebook one in its output.

    ``live`` is True for the first that works, or the name of a view; False for none. Raises
    ValueError if there is no such view, OSError if it cannot be opened.
    """
    if live is True and in_notebook():
        from fitreel.live.notebook import NotebookView

        return NotebookView(pace)
    name: LiveName = live if isinstance(live, str) else "on" if live else "off"
    return open_view(LiveSettings(name, pace))


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook, of Jupyter or of marimo."""
    if "marimo" in sys.modules and sys.modules["marimo"].running_in_notebook():
        return True
    # Whatever runs in a kernel has imported IPython.
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def _open_first(pace: float) -> LiveView:
    """Return a window, else a page in the browser, else the terminal, else a page's address."""
    if has_display() and has_qt():
        with suppress(OSError):  # a library of Qt is missing, or the display refuses us
            return _open_window(pace)
    if not can_open_browser():
        with suppress(OSError):  # standard error is not a terminal
            return _open_terminal(pace)
    return _open_browser(pace)


def _open_window(pace: float) -> LiveView:
    from fitreel.live.window import LiveWindow

    return LiveWindow(pace)


def _open_browser(pace: float) -> LiveView:
    from fitreel.live.browser import BrowserView

    return BrowserView(pace)


def _open_terminal(pace: float) -> LiveView:
    from fitreel.live.terminal import TerminalView

    return TerminalView(pace)
