"""The dataset: the points of an experiment."""

from dataclasses import dataclass, field

from torch import Tensor

from fitreel.data.column import Numbers, column
from fitreel.settings import DataSettings


# eq=False: == of two tensors is a tensor, which has no truth value.
@dataclass(frozen=True, eq=False, init=False)
class Dataset:
    """The points of an experiment: ``x`` and ``y``, float32, each of shape (points,)."""

    x: Tensor
    y: Tensor
    # Not a field of init: points that `replace` changes were not drawn like this.
    drawn: DataSettings | None = field(init=False)

    def __init__(self, x: Numbers, y: Numbers, drawn: DataSettings | None = None) -> None:
        """Copy points: tensors, arrays, lists or series of any type of number, or single columns.

        ``drawn`` says how they were drawn, if that is known. Raises ValueError if there are not two
        points or more, with two different x or more, or if a value is not a finite number in
        float32.
        """
        # The way of a frozen dataclass to set its own fields.
        object.__setattr__(self, "x", column("x", x))
        object.__setattr__(self, "y", column("y", y))
        object.__setattr__(self, "drawn", drawn)
        if self.x.shape != self.y.shape or len(self.x) < 2:
            raise ValueError(
                "a dataset needs two points or more, as many x as y; "
                f"got {len(self.x):,} x and {len(self.y):,} y"
            )
        if self.x.min() == self.x.max():
            raise ValueError(f"a dataset needs two different x; all are {self.x[0].item()}")

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        x, y = (f"{each.min():.3g} to {each.max():.3g}" for each in (self.x, self.y))
        return f"Dataset({len(self):,} points, x {x}, y {y})"
