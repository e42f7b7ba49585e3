"""The film in a journal: what is kept is written soon, whatever the training does next."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fitreel.journal.checkpoints import unpack
from fitreel.journal.filming import FilmWriter, frames_of, points_of
from fitreel.journal.journal import Journal
from fitreel.journal.records import read
from fitreel.reel.listener import Frame
from tests.conftest import environment
from tests.faults import limited, wait_until


def keep_going(writer: FilmWriter) -> None:
    """Report steps for ten seconds."""
    for _ in range(100):
        writer.on_point(2, {})
        time.sleep(0.1)


def kinds(directory: Path) -> list[str]:
    return [record["kind"] for _, record in read(directory)]


def test_what_was_kept_is_written_without_another_step(tmp_path: Path) -> None:
    journal = Journal(tmp_path, create=True)
    writer = FilmWriter(journal)
    writer.on_point(1, {"loss": 0.5})
    writer.on_point(2, {"loss": 0.25, "val_loss": 0.75})
    writer.on_frame(Frame(2, 0.25, np.array([1.0, 2.0], np.float32)))
    wait_until(lambda: len(kinds(journal.directory)) == 3, "the group")
    losses, others, shots = (record for _, record in journal.records())
    assert [each.tolist() for each in points_of(losses)] == [[1, 2], [0.5, 0.25]]
    assert (losses["name"], losses["count"]) == ("loss", 2)
    assert [each.tolist() for each in points_of(others)] == [[2], [0.75]]
    (frame,) = frames_of(shots, (2,))
    assert (frame.step, frame.loss, frame.predictions.tolist()) == (2, 0.25, [1.0, 2.0])
    writer.on_point(3, {"loss": 0.125})
    wait_until(lambda: len(kinds(journal.directory)) == 4, "the second group")
    writer.flush()  # nothing twice
    assert len(kinds(journal.directory)) == 4
    journal.remove()


def test_a_disk_that_takes_no_more_is_reported_at_the_next_step_and_loses_nothing(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path, create=True)
    journal.append("first")
    size = (journal.directory / "journal").stat().st_size
    writer = FilmWriter(journal)
    with limited(size):
        writer.on_point(1, {"loss": 0.5})
        with pytest.raises(OSError, match="File too large"):
            keep_going(writer)
    assert kinds(journal.directory) == ["first"]
    writer.flush()
    assert kinds(journal.directory) == ["first", "curve"]
    journal.remove()


# Two steps at once, and then one that takes an hour.
KILLED = """
import sys, time, fitreel
with fitreel.film([0.0, 1.0], [1.0, 3.0], every=1) as reel:
    for step in range(2):
        reel.frame(step, 1 / (1 + step), lambda x: x * step)
    time.sleep(1)
    print("slow", flush=True)
    time.sleep(3600)
"""


def test_a_kill_in_a_long_step_loses_nothing_of_those_before(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED],
        cwd=tmp_path,
        env=environment(FITREEL_SPOOL=str(tmp_path / "spool")),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "slow\n"
        process.send_signal(signal.SIGKILL)
    (journal,) = (tmp_path / "spool").glob("*/journal")
    records = [record for _, record in read(journal.parent)]
    curves = [points_of(record)[0] for record in records if record["kind"] == "curve"]
    assert np.concatenate(curves).tolist() == [0, 1]
    shots = [unpack(record["steps"], np.int64) for record in records if record["kind"] == "shots"]
    assert np.concatenate(shots).tolist() == [0, 1]
