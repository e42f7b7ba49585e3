"""Why Qt opens no window: the library that is missing, and the package that has it."""

import pytest

from fitreel.live.qt import explained, package_of, trouble_of_qt

# What Qt 6.12 wrote on Debian 12 without these libraries, without the lines about other plugins.
WITHOUT_CURSOR = """\
qt.core.library: "/opt/PySide6/Qt/plugins/platforms/libqxcb.so" cannot load: Cannot load library \
/opt/PySide6/Qt/plugins/platforms/libqxcb.so: libxcb-cursor.so.0: cannot open shared object file: \
No such file or directory
qt.qpa.plugin: From 6.5.0, xcb-cursor0 or libxcb-cursor0 is needed to load the Qt xcb platform \
plugin.
qt.qpa.plugin: Could not load the Qt platform plugin "xcb" in "" even though it was found.
This application failed to start because no Qt platform plugin could be initialized.
"""
WITHOUT_EGL = """\
Traceback (most recent call last):
  File "<string>", line 5, in <module>
ImportError: libEGL.so.1: cannot open shared object file: No such file or directory
"""


@pytest.mark.parametrize(
    ("code", "errors", "reason"),
    [
        (0, "qt.core.library: loaded library", ""),
        (
            -6,
            WITHOUT_CURSOR,
            "Qt needs libxcb-cursor.so.0; on Debian and Ubuntu: apt-get install libxcb-cursor0",
        ),
        (1, WITHOUT_EGL, "Qt needs libEGL.so.1; on Debian and Ubuntu: apt-get install libegl1"),
        (
            -6,
            "one\nqt.qpa.xcb: could not connect to display :5\nlast\n",
            "qt.qpa.xcb: could not connect to display :5",
        ),
        (-6, "", "Qt ends with SIGABRT: no message"),
        (3, "first\n  \x1b[2Jlast  \n\n", r"Qt ends with exit code 3: \x1b[2Jlast"),
    ],
)
def test_the_reason_is_one_line(code: int, errors: str, reason: str) -> None:
    assert explained(code, errors) == reason


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libxcb-icccm.so.4", "libxcb-icccm4"),
        ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
        ("libdbus-1.so.3", "libdbus-1-3"),
        ("libX11-xcb.so.1", "libx11-xcb1"),
        ("libGL.so.1", "libgl1"),
        ("libglib-2.0.so.0", "libglib2.0-0"),
        ("libxcb-cursor.so.0.0.0", "libxcb-cursor0"),
    ],
)
def test_the_package_of_a_library_follows_from_its_name(library: str, package: str) -> None:
    assert package_of(library) == package


@pytest.mark.parametrize(
    "changes", [{"DISPLAY": "", "WAYLAND_DISPLAY": ""}, {"DISPLAY": ":9999", "MPLBACKEND": "agg"}]
)
def test_qt_is_not_tried_where_no_window_is_asked_of_it(
    changes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert trouble_of_qt() == ""
