"""The graphics of this session: whether windows and browsers can be opened here."""

import importlib.util
import os
import sys
import webbrowser

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
SSH = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
TOOLKITS = ("PySide6", "PyQt6", "PyQt5", "PySide2")  # those of Qt that matplotlib takes


def has_display() -> bool:
    """Return whether there is a screen on which windows can be shown."""
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, DISPLAYS))


def has_qt() -> bool:
    """Return whether a Qt toolkit is installed."""
    return any(map(importlib.util.find_spec, TOOLKITS))


def is_remote() -> bool:
    """Return whether somebody is here by ssh, whose browser is on another machine."""
    return any(map(os.environ.get, SSH))


def can_open_browser() -> bool:
    """Return whether a browser can be opened: not over ssh, and not one within the terminal."""
    if is_remote() or not (has_display() or os.environ.get("BROWSER")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
