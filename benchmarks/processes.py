"""The processes that are measured: what they are called, and where they run."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BIN = Path(sys.executable).parent
FITREEL, MLFLOW, PYTHON = str(BIN / "fitreel"), str(BIN / "mlflow"), sys.executable
# The same for both sides: Python's and the packages' defaults, no window, no message to makers.
ENVIRONMENT = {
    **{key: os.environ[key] for key in os.environ if not key.startswith(("MLFLOW_", "PYTHON"))},
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MPLBACKEND": "Agg",
    "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
}


def process(command: Sequence[str], directory: Path) -> str:
    """Run a command to its end and give what it printed.

    What it said becomes part of the error if it fails.
    """
    # MLflow leaves temporary directories behind.
    environment = ENVIRONMENT | {"TMPDIR": str(directory)}
    try:
        return subprocess.run(
            command, cwd=directory, env=environment, check=True, capture_output=True, text=True
        ).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
