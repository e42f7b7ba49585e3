"""The check of the live view in the terminal: its size, and whether it shows the characters."""

from fitreel.doctor.finding import Finding
from fitreel.live.terminal import TerminalView


def check_terminal() -> Finding:
    """Return whether a training can be watched in this terminal."""
    try:
        width, height = TerminalView().size
    except OSError as error:
        return Finding(False, str(error))
    return Finding(True, f"{width} × {height} characters")
