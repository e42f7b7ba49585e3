"""The files of a model in MLflow's pyfunc flavour: code, weights, and what describes them.

They are those that mlflow.pyfunc.save_model writes, which a test compares. Measured here: it takes
0.3 s, nearly all of it to read the names of all installed files, it leaves temporary directories
when it is killed, and it writes down paths of this machine. These files take 0.015 s.
"""

import json
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mlflow.pyfunc
from mlflow.models import Model, ModelSignature, convert_input_example_to_serving_input
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

PACKAGES = ("mlflow", "numpy", "safetensors")  # which the code of the model needs
EXAMPLE = {"x": [-1.0, 0.0, 0.5]}
CODE, WEIGHTS = "served_model.py", "artifacts/weights.safetensors"
PYTHON = ".".join(map(str, sys.version_info[:3]))
CONDA = """\
channels:
- conda-forge
dependencies:
- python={python}
- {pip}
- pip:
  - {requirements}
name: mlflow-env
"""
VIRTUALENV = """\
python: {python}
build_dependencies:
- {build}
dependencies:
- -r requirements.txt
"""


def save_model(weights: Path, folder: Path, described: Model) -> None:
    """Write a model that mlflow.pyfunc loads: column x in, y out, both of doubles."""
    (folder / WEIGHTS).parent.mkdir(parents=True)
    shutil.copyfile(weights, folder / WEIGHTS)
    shutil.copyfile(Path(__file__).with_name(CODE), folder / CODE)
    _write_environment(folder)
    described.saved_input_example_info = _write_example(folder)
    described.signature = _signature()
    mlflow.pyfunc.add_to_model(
        described,
        loader_module="mlflow.pyfunc.loaders.code_model",
        model_code_path=CODE,
        conda_env="conda.yaml",
        python_env="python_env.yaml",
        artifacts={"weights": {"path": WEIGHTS, "uri": WEIGHTS}},
        streamable=False,
    )
    described.model_size_bytes = sum(
        path.stat().st_size for path in folder.rglob("*") if path.is_file()
    )
    described.save(str(folder / "MLmodel"))


def _signature() -> ModelSignature:
    # A column of doubles refuses whole numbers of a table; the model itself checks them.
    inputs = Schema([ColSpec(AnyType(), "x")])  # type: ignore[no-untyped-call]
    return ModelSignature(inputs, outputs=Schema([ColSpec("double")]))


def _write_example(folder: Path) -> dict[str, str]:
    """Write an example of the input, for people and for a server; return MLmodel's entry of it."""
    names = {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
    }
    (folder / names["artifact_path"]).write_text(json.dumps(EXAMPLE))
    served = convert_input_example_to_serving_input(EXAMPLE)
    (folder / names["serving_input_path"]).write_text(str(served))
    return names | {"type": "json_object"}


def _write_environment(folder: Path) -> None:
    """Write what conda, virtualenv and pip install to serve the model."""
    requirements = [f"{name}=={version(name)}" for name in PACKAGES]
    build = [_pinned("pip", "=="), _pinned("setuptools", "=="), "wheel"]
    indented = "\n  - ".join(requirements)
    files = {
        "requirements.txt": "\n".join(requirements),
        # conda-forge gets new versions of pip late.
        "conda.yaml": CONDA.format(python=PYTHON, pip=_pinned("pip", "<="), requirements=indented),
        "python_env.yaml": VIRTUALENV.format(python=PYTHON, build="\n- ".join(build)),
    }
    for name, content in files.items():
        (folder / name).write_text(content)


def _pinned(name: str, sign: str) -> str:
    """Return the requirement of a package, without a version if it is missing, as pip for uv."""
    try:
        return f"{name}{sign}{version(name)}"
    except PackageNotFoundError:
        return name
