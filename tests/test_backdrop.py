"""Figures of a size in pixels, whatever other threads import."""

import subprocess
import sys
from pathlib import Path

from fitreel.pictures.backdrop import new_figure
from tests.conftest import environment

# A slow import of IPython in a thread, as MLflow begins one, and a figure in the middle of it.
SCRIPT = """
import sys, threading, time
from fitreel.pictures.backdrop import Backdrop
thread = threading.Thread(target=lambda: __import__("IPython"))
thread.start()
while "IPython" not in sys.modules:
    time.sleep(0.001)
assert not hasattr(sys.modules["IPython"], "version_info")
print(Backdrop((30, 20)).figure.get_size_inches() * 100)
"""


def test_a_figure_has_its_size_in_pixels() -> None:
    assert list(new_figure(300, 200).bbox.size) == [300, 200]


def test_a_figure_waits_for_a_thread_that_imports_ipython(tmp_path: Path) -> None:
    package = tmp_path / "IPython"
    package.mkdir()
    (package / "__init__.py").write_text("import time\ntime.sleep(0.5)\nversion_info = (9, 0)\n")
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout.strip()) == (0, "[30. 20.]"), run.stderr
