"""A machine with only Python: tests that cannot run are skipped, and reported at the end."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, environment
from tests.needs import NEEDS

# One test for each way to declare a need: a fixture, a mark of a module or a test, a helper.
TESTS = [
    "tests/test_pages_page.py::test_no_script_runs_but_those_of_the_page",
    "tests/test_live.py",
    "tests/test_benchmarks.py::test_the_loops_in_c_train_like_fit",
    "tests/test_provenance.py::test_the_commit_is_reported_and_that_nothing_was_changed",
    "tests/test_provenance.py::test_versions_threads_and_processor_are_reported",
]


@pytest.mark.parametrize("option", [None, "--no-skips"])
def test_what_the_machine_lacks_is_skipped_and_reported_at_the_end(
    tmp_path: Path, option: str | None
) -> None:
    options = ["-p", "no:cacheprovider", "--numprocesses", "1", *filter(None, [option])]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *TESTS],
        cwd=ROOT,
        env=environment() | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.splitlines()[-1]
    assert "1 passed" in last
    if option:
        assert done.returncode == 1
        assert "9 errors" in last
        assert "--no-skips: the live window on a screen. To try: apt-get" in done.stdout
        return
    assert done.returncode == 0, done.stdout
    assert "9 skipped" in last
    _, _, summary = done.stdout.partition("not tried ===")
    lines = {line for line in summary.splitlines() if " skipped: " in line}
    counts = {"browser": 1, "display": 6, "compiler": 1, "git": 1}
    assert lines == {f"{count} skipped: {NEEDS[name].reason}" for name, count in counts.items()}


def test_the_line_names_the_command_that_installs_it() -> None:
    assert NEEDS["git"].reason == "what git reports about the code. To try: apt-get install git"
    assert NEEDS["mount"].reason.endswith("To try: run the tests as root, who may mount a disk")


def test_the_packages_that_are_missing_are_listed(tmp_path: Path) -> None:
    """List them as .ci/run reads them."""
    (tmp_path / "git").symlink_to(sys.executable)
    done = subprocess.run(
        [sys.executable, "-m", "tests.needs"],
        cwd=ROOT,
        env=environment() | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    listed = done.stdout.split()
    assert {"chromium", "xvfb", "libxcb-cursor0", "gcc", "strace"} <= {*listed}
    assert "git" not in listed
