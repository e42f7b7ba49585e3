"""The delivery: what a store was told is on the disk, whatever happens to the power."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import environment


def system_calls(trace: Path) -> Iterator[str]:
    """Read strace's lines, each when its call ended; of several threads they come in halves."""
    begun: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        thread, call = line.split(maxsplit=1)
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
        elif "resumed>" in call:
            yield begun.pop(thread) + call.partition("resumed>")[2]
        else:
            yield call


@pytest.mark.needs("strace")
def test_what_is_told_was_flushed_before(tmp_path: Path) -> None:
    """Were it lost, it would be told again with another time stamp, and be there twice."""
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-y", "-s", "300", "-e", "trace=write,pwrite64,fsync"]
    subprocess.run(
        [*strace, "-o", str(trace), "fitreel", "generate"],
        cwd=tmp_path,
        env=environment(FITREEL_SPOOL=str(tmp_path / "spool")),
        capture_output=True,
        check=True,
    )
    written = flushed = delivered = 0  # bytes of the journal
    told: int | None = None  # how many were flushed when the store was written last
    for call in system_calls(trace):
        if re.match(r"write\(\d+<.*/journal>", call):
            written += int(call.rpartition("= ")[2])
        elif re.match(r"fsync\(\d+<.*/journal>", call):
            flushed = written
        elif delivered and re.match(r"pwrite64\(\d+<.*/mlflow\.db", call):
            # Before the first delivery the run itself was made.
            told = flushed
        elif found := re.search(r'/delivered\.new>, "\w+ {\\"position\\":(\d+)', call):
            delivered = int(found[1])
            assert delivered <= flushed
            assert told is None or delivered <= told
            told = None
    assert delivered == written > 0
