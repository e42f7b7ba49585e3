"""The dataset: the rows of an experiment, their names, and those that are held out."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field

from torch import Tensor

from fitreel.data.column import Numbers, column, matrix, places
from fitreel.data.scaling import Scaling
from fitreel.data.schema import Schema
from fitreel.settings import DataSettings


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that are held out of a training, in raw units."""

    inputs: Tensor  # (rows, features), float32
    y: Tensor  # (rows,): float32 numbers, or int64 places of classes

    def __len__(self) -> int:
        return len(self.y)


# eq=False: == of two tensors is a tensor, which has no truth value.
@dataclass(frozen=True, eq=False, init=False)
class Dataset:
    """The rows to train on, in raw units, and those that are held out.

    ``x`` are the inputs, float32: (rows,) with one feature, (rows, features) with more. ``y`` are
    the targets, (rows,): float32 numbers, or int64 places in ``classes``. Rows that are held
    out are not among them: what reads ``x`` and ``y`` cannot touch those.
    """

    x: Tensor
    y: Tensor
    # Not a field of init: points that `replace` changes were not drawn like this.
    drawn: DataSettings | None = field(init=False)
    features: tuple[str, ...] = field(init=False)
    target: str = field(init=False)
    classes: tuple[str, ...] = field(init=False)  # none: a regression
    scaling: Scaling | None = field(init=False)  # with which networks are trained on it, if any
    schema: Schema | None = field(init=False)  # of the table that it was read from
    validation: Rows | None = field(init=False)  # early stopping looks at these
    test: Rows | None = field(init=False)  # nothing before `evaluate` looks at these

    def __init__(
        self,
        x: Numbers,
        y: Numbers,
        drawn: DataSettings | None = None,
        *,
        features: Sequence[str] = (),
        target: str = "y",
        classes: Sequence[str] = (),
        scaling: Scaling | None = None,
        schema: Schema | None = None,
        validation: Rows | None = None,
        test: Rows | None = None,
    ) -> None:
        """Copy rows: tensors, arrays, lists, series or tables of any type of number.

        ``drawn`` says how points were drawn, if that is known. With ``classes``, y are places in
        them. Features without names are called x, or x1, x2, …. Raises ValueError if there are not
        two rows or more, with two different x or more, or if a value is not a finite number in
        float32.
        """
        inputs = matrix("x", x)
        self._set(x=inputs[:, 0].contiguous() if inputs.shape[1] == 1 else inputs)
        self._set(y=places("y", y, len(classes)) if classes else column("y", y))
        self._set(drawn=drawn, target=target, classes=tuple(classes), scaling=scaling)
        self._set(schema=schema, validation=validation, test=test)
        self._set(features=tuple(features) or default_names(inputs.shape[1]))
        if len(self.x) != len(self.y) or len(self.x) < 2:
            raise ValueError(
                "a dataset needs two points or more, as many x as y; "
                f"got {len(self.x):,} x and {len(self.y):,} y"
            )
        if len(self.features) != inputs.shape[1]:
            raise ValueError(
                f"{len(self.features):,} names do not fit {inputs.shape[1]:,} features"
            )
        if inputs.shape[1] == 1 and self.x.min() == self.x.max():
            raise ValueError(f"a dataset needs two different x; all are {self.x[0].item()}")

    def _set(self, **values: object) -> None:
        # The way of a frozen dataclass to set its own fields.
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def inputs(self) -> Tensor:
        """The inputs as a matrix: (rows, features)."""
        return self.x.unsqueeze(1) if self.x.ndim == 1 else self.x

    def without_test(self) -> "Dataset":
        """Return the dataset without its test rows, for what must not look at them."""
        rest = copy(self)  # the same tensors
        rest._set(test=None)
        return rest

    @property
    def outputs(self) -> int:
        """How many outputs a network has that is trained on it: one, or one a class."""
        return len(self.classes) or 1

    def __repr__(self) -> str:
        if self.x.ndim == 2 or self.classes:
            what = f"{len(self.classes)} classes" if self.classes else "numbers"
            return f"Dataset({len(self):,} rows, {len(self.features)} features, {what})"
        x, y = (f"{each.min():.3g} to {each.max():.3g}" for each in (self.x, self.y))
        return f"Dataset({len(self):,} points, x {x}, y {y})"


def default_names(features: int) -> tuple[str, ...]:
    """Return the names of features that have none: x, or x1, x2, …."""
    return ("x",) if features == 1 else tuple(f"x{place}" for place in range(1, features + 1))


def scaled(dataset: Dataset, rows: Rows | Dataset) -> tuple[Tensor, Tensor]:
    """Return inputs, (rows, features), and targets, (rows,), as networks of a dataset see them."""
    scaling = dataset.scaling
    if scaling is None:
        return rows.inputs, rows.y
    return scaling.inputs(rows.inputs), rows.y if dataset.classes else scaling.targets(rows.y)
