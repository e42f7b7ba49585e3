"""Ctrl-C, SIGTERM and a killed runner: the status is KILLED, and no process remains."""

import fcntl
import os
import pty
import random
import signal
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import product
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psutil
import pytest

from tests import processes
from tests.conftest import ROOT, copy_project, environment
from tests.faults import SPOOL, client, journals, losses, marked, records, runs, wait_until

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
SHORT = ("--epochs", "40")
# Settings with which a stage takes seconds.
LONG = {
    "generate": ("--samples", "1000000", "--epochs", "2"),
    "train": ("--epochs", "30000", "--frame-every", "1000"),
    "evaluate": (*SHORT, "--test-samples", "10000000"),
    "animate": ("--epochs", "2000", "--frame-every", "1", "--max-frames", "2000"),
    "animate mp4": (
        *("--epochs", "400", "--frame-every", "1", "--max-frames", "400", "--format", "mp4"),
    ),
}
BEFORE = {"evaluate": "train", "animate": "evaluate"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a directory with a database."""
    path = tmp_path_factory.mktemp("signals")
    code, _, errors = processes.run("generate", directory=path, **{SPOOL: str(path / "first")})
    assert code == 0, errors
    return path


def is_in(stage: str, spool: Path) -> bool:
    """Return whether the only command of a spool is in a stage: started, not done."""
    name, _, film = stage.partition(" ")
    found = [record for journal in journals(spool) for record in records(journal)]
    if stage == "train":
        started = any(record["kind"] == "losses" for record in found)
    elif stage == "generate":
        started = any("mlflow.runName" in record.get("tags", {}) for record in found)
    else:
        started = any(record.get("stage") == BEFORE[name] for record in found)
    if film:
        started = started and any("ffmpeg" in process.name() for process in marked(spool))
    return started and not any(record.get("stage") == name for record in found)


def assert_no_process_remains(spool: Path) -> None:
    """Assert that all processes end within a few seconds."""
    with suppress(psutil.TimeoutExpired):
        psutil.wait_procs(marked(spool), timeout=5)
    assert [process.cmdline() for process in marked(spool)] == []


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("stage", LONG)
def test_a_signal_in_a_stage(
    directory: Path, tmp_path: Path, stage: str, number: signal.Signals, torture: bool
) -> None:
    for reach, again in product((os.kill, os.killpg), range(5 if torture else 1)):
        if not torture and (reach is os.kill) == (number == signal.SIGINT):
            continue  # usually Ctrl-C goes to the group and SIGTERM to the process
        spool = tmp_path / f"{reach.__name__}-{again}"
        process = processes.start(
            "run", *LONG[stage], directory=directory, output_to=tmp_path, **{SPOOL: str(spool)}
        )
        wait_until(partial(is_in, stage, spool), f"no {stage}")
        time.sleep(again * 0.1)
        assert process.pid
        reach(process.pid, number)
        process.join()
        errors = (tmp_path / "err").read_text()
        assert process.exitcode == CODES[number], errors
        assert "Traceback" not in errors
        assert_no_process_remains(spool)
        (journal,) = journals(spool)
        assert is_in(stage.split()[0], spool) or again, "the signal came too late"
        (run_id,) = [each["run_id"] for each in records(journal) if each["kind"] == "run"]
        assert client(directory).get_run(run_id).info.status == "KILLED"
        losses(client(directory), run_id)
        if torture or (stage, number) == ("animate", signal.SIGTERM):
            code, output, errors = processes.run(
                "resume", run_id, directory=directory, output_to=tmp_path, **{SPOOL: str(spool)}
            )
            assert (code, output) == (0, f"{run_id}\n"), errors
            assert client(directory).get_run(run_id).info.status == "FINISHED"
            assert losses(client(directory), run_id)
            assert journals(spool) == []


def has_started(spool: Path) -> bool:
    return any(True for journal in journals(spool) for _ in records(journal))


def has_ended(spool: Path) -> bool:
    found = [record for journal in journals(spool) for record in records(journal)]
    return any(record.get("status") == "FINISHED" for record in found)


# Creating and closing a run take about a millisecond each: wait for these moments.
MOMENTS: dict[str, Callable[[Path], bool]] = {
    "any": lambda _: True,
    "opening": has_started,
    "closing": has_ended,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_at_any_moment(
    directory: Path, tmp_path: Path, moment: str, torture: bool
) -> None:
    """From the first import to the last delivery: a run is finished, killed or not created."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    outcomes = Counter[str]()
    epochs = 1000 if moment == "any" else 20

    def start(spool: Path, name: str) -> ForkServerProcess:
        every = ("--epochs", str(epochs), "--max-frames", "40", "--experiment", name)
        return processes.start(
            "run", *every, directory=directory, output_to=tmp_path, **{SPOOL: str(spool)}
        )

    started = time.monotonic()
    start(tmp_path / "whole", f"{moment}-{seed}").join()
    takes = time.monotonic() - started if moment == "any" else 0.05
    for turn in range(100 if torture else 4):
        what, spool = f"{moment}, seed {seed}, turn {turn}", tmp_path / str(turn)
        number = chance.choice(list(CODES))
        process = start(spool, what)
        wait_until(
            lambda: MOMENTS[moment](spool) or not process.is_alive(),  # noqa: B023
            what,
            pause=0.001,
        )
        time.sleep(chance.uniform(0, takes))
        assert process.pid
        with suppress(ProcessLookupError):
            chance.choice([os.kill, os.killpg])(process.pid, number)
        process.join()
        if process.exitcode == -number:
            continue  # Python had not reached our first line
        errors = (tmp_path / "err").read_text()
        assert process.exitcode in (0, CODES[number]), f"{what}: {errors}"
        assert "Traceback" not in errors, f"{what}: {errors}"
        assert_no_process_remains(spool)
        experiment = client(directory).get_experiment_by_name(what)
        created = client(directory).search_runs([experiment.experiment_id]) if experiment else []
        statuses = [run.info.status for run in created]
        assert statuses in ([], ["KILLED"], ["FINISHED"]), f"{what}: {statuses}"
        outcomes[f"{process.exitcode} {' '.join(statuses)}"] += 1
        if process.exitcode == 0:
            assert statuses == ["FINISHED"], what
        if statuses != ["KILLED"]:
            # The journal of a delivered run may remain.
            code, _, errors = processes.run(
                "sync", directory=directory, output_to=tmp_path, **{SPOOL: str(spool)}
            )
            assert code == 0, f"{what}: {errors}"
            assert journals(spool) == [], what
            continue
        run_id = created[0].info.run_id
        losses(client(directory), run_id)
        if torture or turn % 2 == 0:
            code, _, errors = processes.run(
                "resume", run_id, directory=directory, output_to=tmp_path, **{SPOOL: str(spool)}
            )
            assert code == 0, f"{what}: {errors}"
            assert client(directory).get_run(run_id).info.status == "FINISHED", what
            assert len(losses(client(directory), run_id)) == epochs, what
            assert journals(spool) == [], what
    print(f"{moment}: seed {seed}, {dict(outcomes)}")


@pytest.mark.parametrize("number", CODES)
def test_a_signal_to_the_real_command(tmp_path: Path, number: signal.Signals) -> None:
    process = real_command(tmp_path)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == CODES[number]
    first, last = errors.decode().splitlines()
    assert first.startswith("run ")
    assert last.startswith("interrupted at epoch ")
    assert last.endswith(f"; resume with: fitreel resume {first.removeprefix('run ')}")
    (run,) = runs(client(tmp_path))
    assert run.info.status == "KILLED"
    assert losses(client(tmp_path), run.info.run_id)


@pytest.mark.parametrize(
    "before", [(), pytest.param(("nohup",), marks=pytest.mark.needs("nohup"))], ids=["", "nohup"]
)
def test_a_terminal_that_is_closed(tmp_path: Path, before: tuple[str, ...]) -> None:
    """The kernel sends SIGHUP, which a command that was started by nohup ignores."""
    ours, theirs = pty.openpty()
    process = real_command(tmp_path, *before, terminal=theirs)
    os.close(theirs)
    os.close(ours)
    if before:
        time.sleep(1)
        process.terminate()
    assert process.wait() == (143 if before else 129)
    assert_no_process_remains(tmp_path / "spool")
    (run,) = runs(client(tmp_path))
    assert run.info.status == "KILLED"
    assert losses(client(tmp_path), run.info.run_id)


def real_command(
    directory: Path, *before: str, terminal: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a long `fitreel run` like a shell, in a terminal or not; wait until it trains."""

    def prepare() -> None:
        # Background jobs of a shell ignore SIGINT, those of nohup SIGHUP; children inherit that.
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if terminal is not None:
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [*before, "fitreel", "run", "--epochs", "10000000", "--frame-every", "1000"],
        cwd=directory,
        env=environment(**{SPOOL: str(directory / "spool")}),
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE if terminal is None else terminal,
        start_new_session=True,
        preexec_fn=prepare,
    )
    wait_until(partial(is_in, "train", directory / "spool"), "no training")
    return process


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


ALWAYS = [("mlflow", signal.SIGKILL), ("group", signal.SIGINT)]
MORE = [("mlflow", signal.SIGTERM), ("mlflow", signal.SIGINT), ("group", signal.SIGTERM)]
PYTHON = [("python", signal.SIGTERM), ("python", signal.SIGINT)]


def test_a_signal_under_mlflow_run(project: Path, tmp_path: Path, torture: bool) -> None:
    for stage, (who, number) in product(
        ("train", "animate mp4") if torture else ("train",),
        ALWAYS + MORE + PYTHON if torture else ALWAYS,
    ):
        what = f"{number.name} to {who} in {stage}"
        spool = tmp_path / what
        runner = mlflow_run(project, spool, stage)
        wait_until(partial(is_in, stage, spool), what)
        (child,) = [each for each in marked(spool) if "-m" in each.cmdline()]
        if who == "group":
            os.killpg(runner.pid, number)
        else:
            os.kill(child.pid if who == "python" else runner.pid, number)
        assert runner.wait() != 0, what
        assert_no_process_remains(spool)
        run = runs(client(project))[0]
        assert run.info.status == "KILLED", what
        losses(client(project), run.info.run_id)
        if torture or who == "group":
            code, _, errors = processes.run(
                "resume",
                run.info.run_id,
                directory=project,
                output_to=tmp_path,
                **{SPOOL: str(spool)},
            )
            assert code == 0, errors
            assert client(project).get_run(run.info.run_id).info.status == "FINISHED"


def mlflow_run(project: Path, spool: Path, stage: str) -> subprocess.Popen[bytes]:
    """Start `mlflow run` in a new session, with settings for a long stage."""
    words = LONG[stage]
    params = [
        f"-P{name[2:].replace('-', '_')}={value}"
        for name, value in zip(words[::2], words[1::2], strict=True)
    ]
    return subprocess.Popen(
        ["mlflow", "run", ".", "--env-manager", "local", *params],
        cwd=project,
        env=environment(**{SPOOL: str(spool)}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # As a background job of a shell it would ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_a_signal_in_a_finalizer_is_repeated() -> None:
    """Python drops an exception there, and all later signals are ignored."""
    script = """
import os, signal, sys, time
from pipeline import app
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        print("not interrupted")
def command(*_, **__):
    Finalized()
    time.sleep(60)
app.app = command
sys.argv = ["fitreel"]
app.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")


def test_a_signal_inside_logging_is_delayed() -> None:
    """Raised inside logging, it would leave its lock taken, or be lost in a fork handler."""
    code = """
import logging, os, signal, time
import pipeline.app
signal.signal(signal.SIGINT, pipeline.app._interrupt)
line = "signal.raise_signal(signal.SIGINT)"
inside = compile(line, logging.__file__, "exec")
exec(inside)
os.write(1, b"not lost in logging\\n")  # print could be interrupted before the end of the line
time.sleep(5)
print("never here")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (130, "not lost in logging\n"), done.stderr
