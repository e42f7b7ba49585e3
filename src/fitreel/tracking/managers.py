"""What the environment managers of `mlflow run` need, searched for as MLflow does.

The variables are those that conda and MLflow document; a test compares with MLflow's functions.
"""

import os
import shutil
import subprocess
from pathlib import Path

from mlflow.environment_variables import MLFLOW_CONDA_CREATE_ENV_CMD, MLFLOW_CONDA_HOME

from fitreel.doctor.finding import LIMIT, Finding


def check_local() -> Finding:
    """Check whether the Python on the PATH has what the project needs."""
    # MLflow starts a project with the python on the PATH, which may not be this one.
    python = shutil.which("python")
    if python is None:
        return Finding(False, "no python on the PATH: activate the environment of fitreel")
    code = "from importlib.metadata import version as v; print(v('mlflow'), v('torch'))"
    try:
        _ask(python, "-c", code)
    except subprocess.CalledProcessError:
        return Finding(
            False, f"{python} lacks torch or mlflow: activate the environment of fitreel"
        )
    return _with_bash(python)


def check_uv() -> Finding:
    """Check whether uv is installed."""
    uv = shutil.which("uv")
    return _with_bash(_ask(uv, "--version")) if uv else Finding(False, "no uv on the PATH")


def check_virtualenv() -> Finding:
    """Check whether pyenv is installed, which provides the Python of the environment."""
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return Finding(False, "no pyenv on the PATH")
    return _with_bash(_ask(pyenv, "--version"))


def check_conda() -> Finding:
    """Check whether conda is installed, and the script that activates its environments."""
    conda, creator = conda_program("conda"), conda_program(MLFLOW_CONDA_CREATE_ENV_CMD.get())  # type: ignore[no-untyped-call]
    for program in (conda, creator):
        if shutil.which(program) is None:
            return Finding(
                False, f"no {program} on the PATH; set $MLFLOW_CONDA_HOME to the home of conda"
            )
    script = conda_script()
    if not (Path(script).exists() or shutil.which(script)):
        return Finding(False, f"conda is installed, but its {script} is missing")
    return _with_bash(_ask(conda, "--version"))


def conda_program(name: str) -> str:
    """Return the path of a program of conda, or its name where only the PATH can find it."""
    if home := MLFLOW_CONDA_HOME.get():  # type: ignore[no-untyped-call]
        return f"{home}/bin/{name}"
    if conda := os.environ.get("CONDA_EXE"):
        return str(Path(conda).with_name(name))
    return name


def conda_script() -> str:
    """Return the script that a shell reads to activate an environment of conda."""
    if "CONDA_EXE" in os.environ or MLFLOW_CONDA_HOME.defined:
        return f"{Path(conda_program('conda')).parent}/../etc/profile.d/conda.sh"
    return conda_program("activate")


def _ask(*words: str) -> str:
    done = subprocess.run(  # noqa: S603
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=LIMIT
    )
    return done.stdout.strip()


def _with_bash(text: str) -> Finding:
    """Return the finding; MLflow runs every project in bash."""
    return Finding(True, text) if shutil.which("bash") else Finding(False, f"{text}, but no bash")
