"""Output that nobody reads is dropped: the command continues and ends as usual."""

import os
import pty
import shutil
import signal
import sqlite3
import subprocess
from functools import partial
from pathlib import Path

import pytest

from fitreel.tracking import Tracker
from pipeline.shared.output import Output
from tests.conftest import environment
from tests.faults import SPOOL, client, journals, losses, records, runs, wait_until

RUN = ("run", "--epochs", "40", "--max-frames", "3")


def close(*numbers: int) -> None:
    for number in numbers:
        os.close(number)


def complete_run(directory: Path) -> str:
    """Return the id of the only run of a directory; assert that run and database are complete."""
    (run,) = runs(client(directory))
    assert run.info.status == "FINISHED"
    assert len(losses(client(directory), run.info.run_id)) == 40
    store = sqlite3.connect(directory / "mlflow.db")
    assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store.close()
    return str(run.info.run_id)


# The next open file gets the lowest free number: without standard error, that is the database.
@pytest.mark.parametrize("closed", [(2,), (0, 1, 2)], ids=str)
def test_a_command_with_closed_outputs_finishes(tmp_path: Path, closed: tuple[int, ...]) -> None:
    output = tmp_path / "output"
    with output.open("w") as file:
        done = subprocess.run(
            ["fitreel", *RUN],
            cwd=tmp_path,
            env=environment(),
            stdout=file,
            preexec_fn=partial(close, *closed),
            check=False,
        )
    assert done.returncode == 0
    run_id = complete_run(tmp_path)
    assert output.read_text() == ("" if 1 in closed else f"{run_id}\n")


def test_the_exit_code_is_right_without_a_reader(tmp_path: Path) -> None:
    """Check an invalid option, a training that diverges, and help."""
    for arguments, code in (("run --lr nan", 2), ("run --lr 1000", 1), ("--help", 0)):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            ["fitreel", *arguments.split()],
            cwd=tmp_path,
            env=environment(),
            stdout=writer,
            stderr=writer,
            check=False,
        )
        os.close(writer)
        assert done.returncode == code, arguments


def test_a_command_finishes_after_its_reader_has_closed_the_pipe(tmp_path: Path) -> None:
    """The reader is like `head -1` in fitreel run 2>&1 | head -1."""
    command = subprocess.Popen(
        ["fitreel", *RUN],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert command.stdout
    assert command.stdout.readline().startswith(b"run ")
    command.stdout.close()
    assert command.wait() == 0
    complete_run(tmp_path)


def test_a_command_finishes_after_its_terminal_was_closed(tmp_path: Path) -> None:
    """It shows a progress bar and ignores SIGHUP, as with nohup."""
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        ["fitreel", *RUN[:1], "--epochs", "6000", "--max-frames", "3"],
        cwd=tmp_path,
        env=environment(TERM="xterm", **{SPOOL: str(tmp_path / "spool")}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    os.close(theirs)
    shows = b""
    while b"train" not in shows:
        shows += os.read(ours, 10_000)
    os.close(ours)
    assert command.wait() == 0
    (run,) = runs(client(tmp_path))
    assert run.info.status == "FINISHED"


def test_only_results_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    """Standard output has results, so a full disk there is an error; standard error has none."""
    run = partial(subprocess.run, cwd=tmp_path, env=environment(), text=True, check=False)
    with Path("/dev/full").open("w") as full:
        version = run(["fitreel", "--version"], stdout=full, stderr=subprocess.PIPE)
        assert run(["fitreel", *RUN], stdout=subprocess.PIPE, stderr=full).returncode == 0
    message = "fitreel: [Errno 28] No space left on device: 'standard output'\n"
    assert (version.returncode, version.stderr) == (2, message)
    complete_run(tmp_path)


def test_output_is_written_until_the_reader_closes_the_pipe() -> None:
    reader, writer = os.pipe()
    output = Output(os.fdopen(writer, "wb"), "utf-8", line_buffering=True)
    print("früh", file=output)
    assert os.read(reader, 100).decode() == "früh\n"
    os.close(reader)
    for _ in range(3):
        print("late", file=output)
        output.flush()
    output.close()


def enter_and_delete(directory: Path) -> None:
    os.chdir(directory)
    shutil.rmtree(directory)


def is_training(spool: Path) -> bool:
    found = [record for journal in journals(spool) for record in records(journal)]
    return any(record["kind"] == "losses" for record in found)


def test_an_error_names_a_deleted_directory(tmp_path: Path) -> None:
    directory = tmp_path / "deleted"
    for arguments in (("run",), ("generate", "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db")):
        directory.mkdir()
        done = subprocess.run(
            ["fitreel", *arguments],
            env=environment(),
            capture_output=True,
            text=True,
            preexec_fn=partial(enter_and_delete, directory),
            check=False,
        )
        message = f"fitreel: {directory} was deleted; go to another directory\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
    assert not list(tmp_path.iterdir())


def test_an_error_names_a_directory_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    directory, spool = tmp_path / "deleted", tmp_path / "spool"
    directory.mkdir()
    Tracker(f"sqlite:///{tmp_path}/mlflow.db").client.create_experiment("else", f"{tmp_path}/else")
    where = ("--experiment", "else", "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db")
    command = subprocess.Popen(
        ["fitreel", "run", "--epochs", "6000", *where],
        cwd=directory,
        env=environment(**{SPOOL: str(spool)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(partial(is_training, spool), "no training")
    directory.rmdir()
    output, errors = command.communicate()
    (run,) = runs(client(tmp_path))
    assert (command.returncode, output, run.info.status) == (2, "", "FAILED")
    errors = errors.partition("\n")[2]  # the first line is the id of the run
    assert errors.startswith(f"fitreel: {directory} was deleted; go to another directory (")
    assert errors.count("\n") == 1
