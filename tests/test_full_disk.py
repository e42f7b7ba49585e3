"""A disk that fills up at a random moment, and a directory that becomes read-only."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes
from tests.faults import client
from tests.needs import require
from tests.test_crash import loss_points

SIZE = 6000  # kB
OPTIONS = ("run", "--epochs", "3000", "--experiment", "mine", "--max-frames", "50")
SHORT = (200, 700, 1400, 2500)
LONG = tuple(range(0, 3000, 50))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk with a database."""
    disk = tmp_path / "disk"
    disk.mkdir()
    require("mount")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}k", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def command(*arguments: str, disk: Path, spool: Path) -> tuple[int, str, str]:
    """Run a command whose database is on the disk."""
    return processes.run(
        *arguments, directory=disk, output_to=disk.parent, FITREEL_SPOOL=str(spool)
    )


def free(disk: Path) -> int:
    return shutil.disk_usage(disk).free // 1024


@pytest.mark.parametrize("place", ["disk", "elsewhere"])
def test_a_full_disk_is_reported_and_the_run_is_resumed_when_there_is_room(
    disk: Path, tmp_path: Path, place: str, torture: bool
) -> None:
    spool = (disk if place == "disk" else tmp_path) / "spool"
    code, _, errors = command("generate", disk=disk, spool=spool)
    assert code == 0, errors
    shutil.copy(disk / "mlflow.db", tmp_path)
    ended = dict[int, tuple[int, str]]()
    for room in LONG if torture else SHORT:
        filler = disk / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free(disk) - room) * 1024)
        code, _, errors = command(*OPTIONS, disk=disk, spool=spool)
        filler.unlink()
        with sqlite3.connect(disk / "mlflow.db") as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        experiment = client(disk).get_experiment_by_name("mine")
        runs = client(disk).search_runs([experiment.experiment_id]) if experiment else []
        ended[room] = (code, runs[0].info.status if runs else "no run")
        assert code in (0, 2, 75), errors
        if code == 0:
            assert ended[room][1] == "FINISHED"
        else:
            lines = [line for line in errors.splitlines() if line.startswith("fitreel: ")]
            assert len(lines) == 1, errors
            assert "space left" in errors or "disk is full" in errors or "disk I/O" in errors
            assert "Traceback" not in errors
        if runs:
            (run,) = runs
            # Only runs that wait for sync are RUNNING; what was logged can be read.
            assert run.info.status != "RUNNING" or code == 75, errors
            steps = [step for step, _ in loss_points(disk, run)]
            assert steps == list(range(len(steps)))
            if code:
                code, _, errors = command("resume", run.info.run_id, disk=disk, spool=spool)
                assert code == 0, errors
            code, _, errors = command("sync", disk=disk, spool=spool)
            assert code == 0, errors
            (run,) = client(disk).search_runs([run.info.experiment_id])
            assert run.info.status == "FINISHED"
            assert [step for step, _ in loss_points(disk, run)] == list(range(3000))
            shutil.rmtree(disk / "mlruns" / run.info.experiment_id)
        shutil.copy(tmp_path / "mlflow.db", disk)
        assert not list(spool.glob("*/journal"))
    assert any(code for code, _ in ended.values()), "the disk was never full"
    print(place, ended)


@pytest.mark.parametrize("stage", ["run", "generate", "train", "evaluate", "animate"])
def test_a_directory_that_became_read_only_is_reported(
    disk: Path, tmp_path: Path, stage: str
) -> None:
    code, output, errors = command("run", "--epochs", "50", disk=disk, spool=disk / "spool")
    assert code == 0, errors
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    run = [] if stage in ("run", "generate") else ["--run", output.strip()]
    for spool in (disk / "spool", tmp_path / "spool"):
        code, _, errors = command(stage, *run, disk=disk, spool=spool)
        assert code == 2
        assert errors.startswith("fitreel: cannot write ")
        assert errors.count("\n") == 1
    ((status,),) = sqlite3.connect(f"file:{disk}/mlflow.db?mode=ro", uri=True).execute(
        "select status from runs"
    )
    assert status == "FINISHED"
