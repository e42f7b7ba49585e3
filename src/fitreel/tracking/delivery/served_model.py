"""The model as MLflow keeps it: this file is copied next to the weights and run from there.

It imports neither fitreel nor torch, so that loading or serving a model needs few packages.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray
from pandas.api.types import is_float_dtype, is_integer_dtype
from safetensors import safe_open

Array = NDArray[np.floating]
MOST_NUMBERS = 2**23  # in one array; with many rows and neurons the whole would fill the memory
# numpy has no erf, and scipy is not among the packages of the model.
_erf = np.vectorize(math.erf, otypes=[np.float32])
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda inputs: np.maximum(inputs, 0),
    "tanh": np.tanh,
    "sigmoid": lambda inputs: (1 + np.tanh(inputs / 2)) / 2,  # never overflows
    "gelu": lambda inputs: inputs * (1 + _erf(inputs / math.sqrt(2))) / 2,
}


class ServedModel(PythonModel):
    """Predict y, shape (rows,), from the column x."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the weights that were logged with the model."""
        with safe_open(context.artifacts["weights"], framework="np") as file:
            self.weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.activate = ACTIVATIONS[file.metadata()["activation"]]

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """Return one prediction per row; MlflowException names the first row without a number."""
        # A column of objects that are all numbers counts as one of numbers.
        column = pd.Series(model_input["x"]).infer_objects()
        if column.isna().any():
            raise _refusal(f"x is missing in row {column.isna().argmax()}")
        if column.size and not (is_float_dtype(column) or is_integer_dtype(column)):
            raise _refusal(f"x must be numbers; got {column.dtype}")
        with np.errstate(over="ignore", invalid="ignore"):
            x = column.to_numpy(np.float32)  # (rows,)
            parts = np.array_split(x, 1 + x.size * self.weights["hidden.bias"].size // MOST_NUMBERS)
            prediction = np.concatenate([self._predict(part) for part in parts])
        finite = np.isfinite(prediction)  # JSON has no others
        if not finite.all():
            raise _refusal(f"x is too large in row {finite.argmin()}")
        return prediction.astype(np.float64)

    def _predict(self, x: Array) -> Array:
        weights = self.weights
        inputs = x[:, None] @ weights["hidden.weight"].T + weights["hidden.bias"]  # (rows, hidden)
        active = self.activate(inputs)
        output: Array = active @ weights["output.weight"].T + weights["output.bias"]  # (rows, 1)
        return output[:, 0]


def _refusal(message: str) -> MlflowException:
    """Return the exception that a server answers with status 400."""
    error: MlflowException = MlflowException.invalid_parameter_value(message)
    return error


set_model(ServedModel())
