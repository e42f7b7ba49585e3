"""The choice of a live view: what works here, and what is asked for."""

import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from fitreel.live.browser import BrowserView
from fitreel.live.choice import in_notebook, open_for_library, open_view
from fitreel.settings import LiveSettings
from tests.conftest import environment

CODE = """
from fitreel.live.graphics import can_open_browser, has_display
print(has_display(), can_open_browser())
"""
NOTHING = dict.fromkeys(["DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "SSH_CONNECTION", "SSH_TTY"], "")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a directory with a browser of windows, and one of the terminal."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("firefox", "w3m"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, "False False"),  # w3m would take the terminal
        ({"DISPLAY": ":0"}, "True True"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "True True"),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "True False"),
        ({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"}, "True False"),
        ({"BROWSER": "firefox"}, "False True"),
        ({"BROWSER": "firefox", "SSH_TTY": "/dev/pts/1"}, "False False"),
        ({"DISPLAY": ":0", "PATH": "/nowhere"}, "True False"),
    ],
)
def test_what_can_be_opened(programs: Path, changes: dict[str, str], found: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=environment() | NOTHING | {"PATH": str(programs)} | changes,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == found


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be where no window and no browser can be opened."""
    for name in NOTHING:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("far")
def test_nothing_is_opened_unless_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert open_view(LiveSettings()) is None
    assert open_for_library(False) is None
    assert open_for_library("off") is None
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize(
    "ask",
    [lambda: open_view(LiveSettings("browser", 0.2)), lambda: open_for_library("browser", 0.2)],
)
def test_the_address_of_a_page_is_printed(
    capsys: pytest.CaptureFixture[str], ask: Callable[[], BrowserView]
) -> None:
    view = ask()
    assert capsys.readouterr().err == f"watch the training: {view.address}\n"
    assert view.controls.pace == 0.2
    view.close()


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize(
    "ask", [lambda: open_view(LiveSettings("on")), lambda: open_for_library(True)]
)
def test_where_nothing_else_works_there_is_an_address(
    capsys: pytest.CaptureFixture[str], ask: Callable[[], BrowserView]
) -> None:
    """Standard error of a test is not a terminal."""
    view = ask()
    assert isinstance(view, BrowserView)
    assert view.address in capsys.readouterr().err
    view.close()


def test_a_window_needs_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NOTHING:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OSError, match="no window can be opened"):
        open_view(LiveSettings("window"))


def test_a_kernel_of_a_notebook_is_found() -> None:
    assert not in_notebook()
    code = """
import sys
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from fitreel.live.choice import in_notebook
TerminalInteractiveShell.instance()
print(in_notebook())
from ipykernel.zmqshell import ZMQInteractiveShell
from ipykernel.kernelapp import IPKernelApp
TerminalInteractiveShell.clear_instance()
app = IPKernelApp.instance()
app.initialize([])
print(in_notebook(), file=sys.__stdout__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    words = done.stdout.split()  # the kernel prints, too
    assert words[0] == "False"
    assert "True" in words, done.stderr


def test_a_cell_of_marimo_is_one_of_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    marimo = types.SimpleNamespace(running_in_notebook=lambda: True)
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    assert in_notebook()
    marimo.running_in_notebook = lambda: False
    assert not in_notebook()
