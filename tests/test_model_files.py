"""The files of a model: the same as MLflow writes."""

import json
import os
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pytest
import yaml
from mlflow.models import Model

from fitreel.tracking.delivery.model_files import EXAMPLE, PACKAGES, _pinned, save_model
from fitreel.training.files import save_weights
from fitreel.training.loop import Fit

# Without pickled code the version of cloudpickle is unused; artifacts name their origin.
IDLE = {"cloudpickle_version", "code", "artifacts"}
OF_ITS_OWN = {"model_uuid", "utc_time_created", "model_size_bytes", "flavors"}


@pytest.fixture(scope="module")
def both(trained: Fit, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Write the same model with fitreel and with MLflow."""
    place = tmp_path_factory.mktemp("models")
    weights = place / "weights.safetensors"
    save_weights(trained.network.weights(), weights)
    described = Model("model", "r" * 32)
    save_model(weights, place / "ours", described)
    mlflow.pyfunc.save_model(
        place / "theirs",
        mlflow_model=Model("model", "r" * 32),
        python_model=str(place / "ours/served_model.py"),
        artifacts={"weights": str(weights)},
        signature=described.signature,
        input_example=EXAMPLE,
        pip_requirements=(place / "ours/requirements.txt").read_text().split(),
    )
    return place / "ours", place / "theirs"


def content(path: Path) -> Any:
    if path.suffix == ".json":
        return json.loads(path.read_text())
    return yaml.safe_load(path.read_text()) if path.suffix == ".yaml" else path.read_bytes()


def test_all_files_equal_those_that_mlflow_writes(both: tuple[Path, Path]) -> None:
    ours, theirs = (
        {
            str(file.relative_to(folder)): content(file)
            for file in folder.rglob("*")
            if file.is_file() and file.name != "MLmodel"
        }
        for folder in both
    )
    assert len(ours) == 7
    assert ours == theirs


def test_the_description_equals_the_one_by_mlflow(both: tuple[Path, Path]) -> None:
    ours, theirs = (Model.load(str(folder)).to_dict() for folder in both)
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - OF_ITS_OWN:
        assert ours[name] == theirs[name], name
    (ours, theirs) = (each["flavors"]["python_function"] for each in (ours, theirs))
    theirs["model_code_path"] = Path(
        theirs["model_code_path"]
    ).name  # the user, which would identify the machine
    for name in (ours.keys() | theirs.keys()) - IDLE:
        assert ours[name] == theirs[name], name
    paths = [each["artifacts"]["weights"]["path"] for each in (ours, theirs)]
    assert paths[0] == paths[1]


def test_a_model_leaves_no_files_elsewhere(
    trained: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary directory would stay forever after kill -9."""
    save_weights(trained.network.weights(), tmp_path / "weights.safetensors")
    for name in ("mkdtemp", "mkstemp"):
        monkeypatch.setattr(f"tempfile.{name}", lambda *_, **__: os.abort())
    save_model(tmp_path / "weights.safetensors", tmp_path / "model", Model("model"))
    assert len(list((tmp_path / "model").iterdir())) == 8


def test_packages_that_are_missing_are_named_without_a_version() -> None:
    assert all("==" in _pinned(name, "==") for name in PACKAGES)
    assert _pinned("no-such-package", "==") == "no-such-package"
