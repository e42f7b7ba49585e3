"""The delivery: data is flushed to the journal first and keeps its own time stamps."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fitreel.journal.checkpoints import pack
from fitreel.tracking.delivery.values import losses
from tests.conftest import environment
from tests.faults import client
from tests.needs import require


def system_calls(trace: Path) -> Iterator[str]:
    """Yield the completed calls of strace's lines, which split calls of several threads."""
    started: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        thread, call = line.split(maxsplit=1)
        if call.endswith("<unfinished ...>"):
            started[thread] = call.removesuffix("<unfinished ...>")
        elif "resumed>" in call:
            yield started.pop(thread) + call.partition("resumed>")[2]
        else:
            yield call


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a command and record its system calls."""
    require("strace")
    directory = tmp_path_factory.mktemp("traced")
    strace = ["strace", "-f", "-y", "-s", "300", "-e", "trace=write,pwrite64,fsync"]
    subprocess.run(
        [*strace, "-o", "trace", "fitreel", "generate"],
        cwd=directory,
        env=environment(FITREEL_SPOOL=str(directory / "spool")),
        capture_output=True,
        check=True,
    )
    return directory


def test_data_is_flushed_before_it_is_delivered(directory: Path) -> None:
    """Lost records would be delivered again with another time stamp, and stored twice."""
    written = flushed = delivered = 0  # bytes in the journal
    stored: int | None = None  # bytes that were flushed at the last write to the store
    for call in system_calls(directory / "trace"):
        if re.match(r"write\(\d+<.*/journal>", call):
            written += int(call.rpartition("= ")[2])
        elif re.match(r"fsync\(\d+<.*/journal>", call):
            flushed = written
        elif delivered and re.match(r"pwrite64\(\d+<.*/mlflow\.db", call):
            # The run itself was created before the first delivery.
            stored = flushed
        elif found := re.search(r'/delivered\.new>, "\w+ {\\"position\\":(\d+)', call):
            delivered = int(found[1])
            assert delivered <= flushed
            assert stored is None or delivered <= stored
            stored = None
    assert delivered == written > 0


def test_losses_are_spread_over_the_time_they_took() -> None:
    numbers = np.array([4.0, 3.0, 2.0, 1.0, 0.5], dtype=np.float32)
    record = {"first": 7, "count": 5, "start": 1000, "end": 1400, "numbers": pack(numbers)}
    found = [(each.step, each.value, each.timestamp) for each in losses(record)]
    assert found == [(7, 4, 1000), (8, 3, 1100), (9, 2, 1200), (10, 1, 1300), (11, 0.5, 1400)]


def test_a_run_has_the_end_time_of_its_command_even_if_delivered_late(directory: Path) -> None:
    status = r'status\\",\\"status\\":\\"FINISHED\\",\\"time\\":(\d+)'
    (end,) = re.findall(status, (directory / "trace").read_text())
    (run,) = client(directory).search_runs(["0"])
    assert run.info.end_time == int(end)
