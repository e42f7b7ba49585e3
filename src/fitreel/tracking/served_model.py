"""The model as MLflow keeps it: this file is copied beside the weights and run from there.

It stands alone: no fitreel, no torch, so that whoever loads or serves a model installs little.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray
from safetensors import safe_open

Array = NDArray[np.floating]
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
        """Give a prediction a row."""
        x = np.asarray(model_input["x"], dtype=np.float32)[:, None]
        weights = self.weights
        inputs = x @ weights["hidden.weight"].T + weights["hidden.bias"]  # (rows, hidden)
        active = self.activate(inputs)
        output = active @ weights["output.weight"].T + weights["output.bias"]  # (rows, 1)
        prediction: NDArray[np.float64] = output[:, 0].astype(np.float64)
        return prediction


set_model(ServedModel())
