"""The model of a table as MLflow keeps it: this file is copied next to the weights and run there.

It imports neither fitreel nor torch, so that loading or serving a model needs few packages.
"""

import json
import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray
from safetensors import safe_open

Floats = NDArray[np.float64]
MOST_NUMBERS = 2**22  # in one array; with many rows and neurons the whole would fill the memory
LAYERS = ("hidden", "output")
OTHER = "other"
CELLS: dict[str, Any] = {"number": Real, "boolean": (Real, np.bool_), "category": str}
WANTED = {"number": "a finite number", "boolean": "true or false", "category": "text"}
JOINERS = "\u200c\u200d"  # not printable by themselves, but Persian and emoji are written with them
# numpy has no erf, and scipy is not among the packages of the model.
_erf = np.vectorize(math.erf, otypes=[np.float64])
ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "relu": lambda inputs: np.maximum(inputs, 0),
    "tanh": np.tanh,
    "sigmoid": lambda inputs: 1 / (1 + np.exp(-inputs)),  # an overflow gives 0, as it should
    "gelu": lambda inputs: inputs * (1 + _erf(inputs / math.sqrt(2))) / 2,
}


class ServedTable(PythonModel):
    """Predict from the columns of a table, in raw units."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the weights that were logged with the model, and the schema of its rows."""
        with safe_open(context.artifacts["weights"], framework="np") as file:
            self.weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.activate = ACTIVATIONS[file.metadata()["activation"]]
            self.schema = json.loads(file.metadata()["schema"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.Series | pd.DataFrame:
        """Return the column prediction; of classes also a column of probabilities for each.

        Raises MlflowException, which names column and row of what it refuses.
        """
        rows = pd.DataFrame(model_input)  # a server passes other JSON than tables on as a dict
        names = [column["name"] for column in self.schema["columns"]]
        if missing := [name for name in names if name not in rows]:
            raise _refusal(f"column '{missing[0]}' is missing; the model needs {', '.join(names)}")
        inputs = np.concatenate(
            [_features(rows[column["name"]], column) for column in self.schema["columns"]], axis=1
        )  # (rows, features), float32
        parts = np.array_split(
            inputs, 1 + len(inputs) * self.weights["hidden.bias"].size // MOST_NUMBERS
        )
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.concatenate([self._outputs(part) for part in parts])
        finite = np.isfinite(found).all(axis=1)  # JSON has no others
        if not finite.all():
            raise _refusal(f"the inputs are too large in row {finite.argmin()}")
        if not self.schema["classes"]:
            return pd.Series(found[:, 0], rows.index, name="prediction")
        classes = self.schema["classes"]
        named = [f"probability {each}" for each in classes]
        table = pd.DataFrame(found, rows.index, named)
        table.insert(0, "prediction", [classes[place] for place in found.argmax(axis=1)])
        return table

    def _outputs(self, raw: NDArray[np.float32]) -> Floats:
        """Return numbers in raw units, (rows, 1), or probabilities, (rows, classes)."""
        weights = self.weights
        # In float64, rounded once at the end: fitreel does the same with torch, and the order of
        # the sums, which differs, no longer matters.
        inputs = (raw - weights["scaling.input_mean"]) / weights["scaling.input_deviation"]
        hidden, output = (weights[f"{layer}.weight"].astype(np.float64).T for layer in LAYERS)
        found = self.activate(inputs.astype(np.float64) @ hidden + weights["hidden.bias"]) @ output
        found += weights["output.bias"]
        if self.schema["classes"]:
            found = np.exp(found - found.max(axis=1, keepdims=True))
            found /= found.sum(axis=1, keepdims=True)
        else:
            found = found * np.float64(weights["scaling.target_deviation"])
            found += np.float64(weights["scaling.target_mean"])
        rounded: Floats = found.astype(np.float32).astype(np.float64)
        return rounded


def _features(cells: pd.Series, column: dict[str, Any]) -> NDArray[np.float32]:
    """Return the features of a column: (rows, features of the column)."""
    kind, fill, cells = column["kind"], column["fill"], cells.infer_objects()
    missing = cells.isna().to_numpy()
    if kind == "category":
        blank = [isinstance(cell, str) and not cell.strip() for cell in cells]
        missing = missing | np.array(blank, bool)
    if fill is None and missing.any():
        raise _refusal(f"column '{column['name']}' has no value in row {missing.argmax()}")
    if kind == "category" or cells.dtype.kind not in "iuf":  # objects may be of any kind
        for row, cell in enumerate(cells):
            is_right = isinstance(cell, CELLS[kind])
            is_right &= not (kind == "number" and isinstance(cell, bool))
            if not (is_right or missing[row]):
                raise _refusal(f"column '{column['name']}' must be {WANTED[kind]} in row {row}")
    if kind == "category":
        return _places(cells, missing, column)
    if missing.any():
        cells = cells.astype(object).where(~missing, fill)
    with np.errstate(over="ignore"):
        numbers: NDArray[np.float32] = cells.to_numpy(np.float32)
    wrong = ~np.isfinite(numbers) if kind == "number" else (numbers != 0) & (numbers != 1)
    if wrong.any():
        raise _refusal(f"column '{column['name']}' must be {WANTED[kind]} in row {wrong.argmax()}")
    return numbers[:, None]


def _places(
    cells: pd.Series, missing: NDArray[np.bool_], column: dict[str, Any]
) -> NDArray[np.float32]:
    """Return a 1 for the text of each row, at its place among the values of the category."""
    values = list(column["values"])
    other = values.index(OTHER) if OTHER in values else len(values)
    places = {value: place for place, value in enumerate(values)}
    texts = (
        column["fill"] if lacks else _plain(text.strip())
        for text, lacks in zip(cells, missing, strict=True)
    )
    found = np.fromiter((places.get(text, other) for text in texts), int, len(cells))
    # A text without a feature of its own is all zeros.
    lookup = np.eye(len(values) + 1, len(values), dtype=np.float32)
    features: NDArray[np.float32] = lookup[found]
    return features


def _plain(text: str) -> str:
    """Return text as the schema has it: what cannot be seen, written as Python writes it."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in JOINERS else ascii(letter)[1:-1]
        for letter in text
    )


def _refusal(message: str) -> MlflowException:
    """Return the exception that a server answers with status 400."""
    error: MlflowException = MlflowException.invalid_parameter_value(message)
    return error


set_model(ServedTable())
