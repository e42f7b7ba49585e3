"""The files of a model in MLflow's pyfunc flavour: code, weights, and what describes them.

They are those that mlflow.pyfunc.save_model writes, which a test compares. Measured here: it takes
0.3 s, nearly all of it to read the names of all installed files, it leaves temporary directories
when it is killed, and it writes down paths of this machine. These files take 0.015 s.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow.models import Model, ModelSignature, convert_input_example_to_serving_input
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import AnyType
from safetensors import safe_open

from fitreel.data.schema import Schema as TableSchema
from fitreel.training.files import EXAMPLE as ROWS, SCHEMA

PACKAGES = ("mlflow", "numpy", "safetensors")  # which the code of the model needs
# MLflow without its database and its pages serves as well, from 177 MB instead of 622.
TABLE_PACKAGES = ("mlflow-skinny", "numpy", "pandas", "safetensors")
EXAMPLE = {"x": [-1.0, 0.0, 0.5]}
CODE, TABLE_CODE = "served_model.py", "served_table.py"
WEIGHTS = "artifacts/weights.safetensors"
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
    """Write a model that mlflow.pyfunc loads.

    Column x in, y out; or, if the weights have a schema, the columns of a table in, and out what
    is predicted from them.
    """
    (folder / WEIGHTS).parent.mkdir(parents=True)
    shutil.copyfile(weights, folder / WEIGHTS)
    schema, example = _described(weights)
    code = TABLE_CODE if schema else CODE
    shutil.copyfile(Path(__file__).with_name(code), folder / code)
    _write_environment(folder, TABLE_PACKAGES if schema else PACKAGES)
    described.saved_input_example_info = _write_example(folder, example, bool(schema))
    described.signature = _signature_of(schema) if schema else _signature()
    if schema:
        described.metadata = {"inputs": {each.name: each.kind for each in schema.columns}}
    mlflow.pyfunc.add_to_model(
        described,
        loader_module="mlflow.pyfunc.loaders.code_model",
        model_code_path=code,
        conda_env="conda.yaml",
        python_env="python_env.yaml",
        artifacts={"weights": {"path": WEIGHTS, "uri": WEIGHTS}},
        streamable=False,
    )
    described.model_size_bytes = sum(
        path.stat().st_size for path in folder.rglob("*") if path.is_file()
    )
    described.save(str(folder / "MLmodel"))


def _described(weights: Path) -> tuple[TableSchema | None, dict[str, Any]]:
    """Return the schema in a file of weights, and an example of inputs."""
    with safe_open(weights, framework="np") as file:
        found = file.metadata()
    if SCHEMA not in found:
        return None, EXAMPLE
    return TableSchema.from_json(json.loads(found[SCHEMA])), json.loads(found[ROWS])


def _signature_of(schema: TableSchema) -> ModelSignature:
    # Inputs have no types here, and the model checks them itself: MLflow's doubles refuse whole
    # numbers of a table, its booleans take any text for true, and any other type refuses CSV.
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string if schema.classes else DataType.double, "prediction"),
        *(ColSpec(DataType.double, f"probability {each}") for each in schema.classes),
    ]
    return ModelSignature(outputs=Schema(outputs))


def _signature() -> ModelSignature:
    # A column of doubles refuses whole numbers of a table; the model itself checks them.
    inputs = Schema([ColSpec(AnyType(), "x")])  # type: ignore[no-untyped-call]
    return ModelSignature(inputs, outputs=Schema([ColSpec("double")]))


def _write_example(folder: Path, example: dict[str, Any], is_table: bool) -> dict[str, str]:
    """Write an example of the input, for people and for a server; return MLmodel's entry of it."""
    names = {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
    }
    kind = {"type": "json_object"}
    served = str(convert_input_example_to_serving_input(example))
    if is_table:
        kind = {"type": "dataframe", "pandas_orient": "split"}
        rows = [list(row) for row in zip(*example.values(), strict=True)]
        example = {"columns": list(example), "data": rows}
        served = json.dumps({"dataframe_split": example})
    (folder / names["artifact_path"]).write_text(json.dumps(example))
    (folder / names["serving_input_path"]).write_text(served)
    return names | kind


def _write_environment(folder: Path, packages: Sequence[str]) -> None:
    """Write what conda, virtualenv and pip install to serve the model."""
    requirements = [f"{name}=={version(name)}" for name in packages]
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
