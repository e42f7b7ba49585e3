"""The delivery: what a store has got is on the disk, and has the time at which it happened."""

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
    """Read strace's lines, each when its call ended; those of several threads come in halves."""
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
    """Run a command and look at what it asks of the system."""
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


def test_what_is_delivered_was_flushed_before(directory: Path) -> None:
    """If it were lost, it would be delivered with another time stamp, and be there twice."""
    written = flushed = delivered = 0  # bytes of the journal
    stored: int | None = None  # how many were flushed when the store was written last
    for call in system_calls(directory / "trace"):
        if re.match(r"write\(\d+<.*/journal>", call):
            written += int(call.rpartition("= ")[2])
        elif re.match(r"fsync\(\d+<.*/journal>", call):
            flushed = written
        elif delivered and re.match(r"pwrite64\(\d+<.*/mlflow\.db", call):
            # Before the first delivery the run itself was created.
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


def test_a_run_ended_when_its_command_did_even_if_that_is_delivered_late(directory: Path) -> None:
    status = r'status\\",\\"status\\":\\"FINISHED\\",\\"time\\":(\d+)'
    (end,) = re.findall(status, (directory / "trace").read_text())
    (run,) = client(directory).search_runs(["0"])
    assert run.info.end_time == int(end)
