"""Commands as real processes that start fast: forks of a process that has imported everything."""

import atexit
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.conftest import environment

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.before_commands"])
ALIVE = set[ForkServerProcess]()


@atexit.register
def kill_all() -> None:
    """Kill what a failed test left running."""
    for process in ALIVE:
        process.kill()


def nothing() -> None:
    """Do nothing before a command."""


def start(
    *arguments: str, directory: Path, output_to: Path | str = "", **changes: str
) -> ForkServerProcess:
    """Start `fitreel` in a directory; its output goes to out and err there, or in ``output_to``."""
    return start_after(nothing, *arguments, directory=directory, output_to=output_to, **changes)


def start_after(
    before: Callable[[], None],
    *arguments: str,
    directory: Path,
    output_to: Path | str = "",
    **changes: str,
) -> ForkServerProcess:
    """Start `fitreel` in a process that calls ``before`` first."""
    where = (directory, Path(output_to or directory))
    process = CONTEXT.Process(
        target=_command, args=(arguments, *where, before, environment(**changes))
    )
    process.start()
    ALIVE.add(process)
    return process


def run(
    *arguments: str, directory: Path, output_to: Path | str = "", **changes: str
) -> tuple[int, str, str]:
    """Run `fitreel` to its end; return its exit code, standard output and standard error."""
    process = start(*arguments, directory=directory, output_to=output_to, **changes)
    return _ended(process, Path(output_to or directory))


def _ended(process: ForkServerProcess, where: Path) -> tuple[int, str, str]:
    """Wait for the end of a process; return its exit code and what it wrote."""
    process.join()
    code = process.exitcode
    assert code is not None
    ALIVE.discard(process)
    process.close()  # each has open files, of which a process may have too many
    return code, (where / "out").read_text(), (where / "err").read_text()


def mlflow(*arguments: str, directory: Path, **changes: str) -> tuple[int, str, str]:
    """Run `mlflow` to its end; return its exit code, standard output and standard error."""
    return _ended(start_mlflow(*arguments, directory=directory, **changes), directory)


def start_mlflow(
    *arguments: str, directory: Path, output_to: Path | str = "", **changes: str
) -> ForkServerProcess:
    """Start `mlflow` in a directory; its output goes to out and err there, or in ``output_to``."""
    before = partial(_mlflow, arguments)
    return start_after(before, directory=directory, output_to=output_to, **changes)


def _mlflow(arguments: tuple[str, ...]) -> None:
    """Run MLflow's command, which exits, so that `fitreel` does not follow."""
    from mlflow.cli import cli

    cli(arguments, prog_name="mlflow")


def _command(
    arguments: tuple[str, ...],
    directory: Path,
    output_to: Path,
    before: Callable[[], None],
    variables: dict[str, str],
) -> None:
    os.chdir(directory)
    os.setsid()
    # The process that forks has the environment of the first test that needed it.
    os.environ.clear()
    os.environ.update(variables)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(output_to / name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), number)
    sys.argv = ["fitreel", *arguments]
    before()
    from pipeline.app import main

    try:
        main()
    finally:  # no signal may interrupt the clean-up of multiprocessing
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
