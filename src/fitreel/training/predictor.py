"""The predictor: a trained network, and the schema of the rows that it predicts from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from fitreel.data.schema import Column, Schema
from fitreel.training.files import load_schema, load_weights
from fitreel.training.weights import Weights

POINTS = Schema((Column("x", "number"),), "y", "regression")  # those that are drawn have no other


@dataclass(frozen=True, eq=False)
class Predictor:
    """A network that knows the columns of its rows."""

    weights: Weights
    schema: Schema

    def __post_init__(self) -> None:
        wanted = (len(self.schema.features), len(self.schema.classes) or 1)
        if self.weights.shape[1:] != wanted:
            raise ValueError("the network does not fit the schema of its rows")

    @classmethod
    def load(cls, path: Path) -> "Predictor":
        """Read a file of weights; ValueError names it if it is something else."""
        weights = load_weights(path)
        schema = load_schema(path)
        if schema is None and weights.shape[1:] != (1, 1):
            raise ValueError(f"{path.name} does not say which columns its network predicts from")
        return cls(weights, schema or POINTS)

    def predict(self, inputs: Tensor) -> dict[str, NDArray[Any] | list[str]]:
        """Return columns by name for inputs, (rows, features), in raw units.

        The column prediction; of classes also a column with the probability of each.
        """
        found, classes = self.weights.predict(inputs).numpy(), self.schema.classes
        if not classes:
            return {"prediction": found}
        chosen = [classes[place] for place in found.argmax(axis=1)]
        shares = {f"probability {name}": found[:, place] for place, name in enumerate(classes)}
        return {"prediction": chosen, **shares}
