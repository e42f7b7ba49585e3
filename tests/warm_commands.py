"""What a process has done that forks for commands: one of each, so that forks import nothing.

The first figure, the first statement and the first model of a process take seconds.
"""

import os
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow

from pipeline.app import app
from tests.conftest import forget_mlflow

SMALL = ["--epochs", "20", "--samples", "20"]


def run_each() -> None:
    """Run the commands in a directory of their own."""
    before = Path.cwd()
    with TemporaryDirectory() as place, Path(os.devnull).open("w") as nothing:
        os.chdir(place)
        os.environ["FITREEL_SPOOL"] = f"{place}/spool"
        with redirect_stdout(nothing), redirect_stderr(nothing):
            for command in (["run"], ["run", "--lr", "0.2"], ["sweep", "--trials", "2"]):
                _run([*command, *SMALL])
            _run(["compare", "--best", "2"])
            _run(["sync"])
        os.chdir(before)
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    forget_mlflow()
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    del os.environ["FITREEL_SPOOL"]


def _run(arguments: list[str]) -> None:
    with suppress(SystemExit):
        app(arguments, standalone_mode=False)


run_each()
