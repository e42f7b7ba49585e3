"""What the environment managers of `mlflow run` need, as MLflow looks for it."""

import shutil
import subprocess
from pathlib import Path

from mlflow.utils.conda import (
    _get_conda_executable_for_create_env,
    get_conda_bin_executable,
    get_conda_command,
)
from mlflow.utils.virtualenv import _get_pyenv_bin_path

from fitreel.doctor.machine import LIMIT, Finding


def check_local() -> Finding:
    """Tell whether the Python on the path is one that has what the project needs."""
    python = shutil.which("python")
    if python is None:
        return Finding(False, "no python on the path: activate the environment of fitreel")
    code = "from importlib.metadata import version as v; print(v('mlflow'), v('torch'))"
    try:
        _ask(python, "-c", code)
    except subprocess.CalledProcessError:
        return Finding(
            False, f"{python} lacks torch or mlflow: activate the environment of fitreel"
        )
    return _with_bash(python)


def check_uv() -> Finding:
    """Tell whether uv is there."""
    uv = shutil.which("uv")
    return _with_bash(_ask(uv, "--version")) if uv else Finding(False, "no uv on the path")


def check_virtualenv() -> Finding:
    """Tell whether pyenv is there: it makes the Python, whose own venv makes the environment."""
    pyenv = _get_pyenv_bin_path()  # type: ignore[no-untyped-call]
    if pyenv is None:
        return Finding(False, "no pyenv on the path")
    return _with_bash(_ask(pyenv, "--version"))


def check_conda() -> Finding:
    """Tell whether conda is there, and the script that activates its environments."""
    conda = get_conda_bin_executable("conda")  # type: ignore[no-untyped-call]
    maker = _get_conda_executable_for_create_env()  # type: ignore[no-untyped-call]
    for program in (conda, maker):
        if shutil.which(program) is None:
            return Finding(
                False, f"no {program} on the path; $MLFLOW_CONDA_HOME can name its place"
            )
    # MLflow's line is "source SCRIPT …".
    script = get_conda_command("fitreel")[0].split()[1]  # type: ignore[no-untyped-call]
    if not (Path(script).exists() or shutil.which(script)):
        return Finding(False, f"conda is there, but not its {script}")
    return _with_bash(_ask(conda, "--version"))


def _ask(*words: str) -> str:
    done = subprocess.run(  # noqa: S603
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=LIMIT
    )
    return done.stdout.strip()


def _with_bash(text: str) -> Finding:
    """MLflow runs every project in bash."""
    return Finding(True, text) if shutil.which("bash") else Finding(False, f"{text}, but no bash")
