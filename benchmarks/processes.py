"""The processes that are measured: their commands, their environment and their directory."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

BIN = Path(sys.executable).parent
FITREEL, MLFLOW, PYTHON = str(BIN / "fitreel"), str(BIN / "mlflow"), sys.executable
# The same for both sides: the defaults of Python and the packages, no window, no telemetry.
ENVIRONMENT = {
    **{key: os.environ[key] for key in os.environ if not key.startswith(("MLFLOW_", "PYTHON"))},
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MPLBACKEND": "Agg",
    "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
}


def process(
    command: Sequence[str], directory: Path, variables: Mapping[str, str] | None = None
) -> str:
    """Run a command, wait for its end and return its standard output.

    ``variables`` are more of its environment. If it fails, its standard error becomes a note of
    the exception.
    """
    # MLflow does not remove its temporary directories.
    environment = {**ENVIRONMENT, "TMPDIR": str(directory), **(variables or {})}
    try:
        return subprocess.run(
            command, cwd=directory, env=environment, check=True, capture_output=True, text=True
        ).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
