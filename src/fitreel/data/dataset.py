"""The dataset: the points of an experiment."""

from dataclasses import dataclass

from torch import Tensor


# eq=False: == of two tensors is a tensor, which has no truth value.
@dataclass(frozen=True, eq=False)
class Dataset:
    """The points of an experiment: ``x`` and ``y``, float32, each of shape (points,)."""

    x: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        if self.x.ndim != 1 or self.x.shape != self.y.shape or len(self.x) < 2:
            raise ValueError(
                "a dataset needs two points or more, as many x as y; "
                f"got shapes {tuple(self.x.shape)} and {tuple(self.y.shape)}"
            )
        if not (self.x.isfinite().all() and self.y.isfinite().all()):
            raise ValueError("the numbers of a dataset must be finite")
        if self.x.min() == self.x.max():
            raise ValueError(f"a dataset needs two different x; all are {self.x[0].item()}")

    def __len__(self) -> int:
        return len(self.x)
