"""The errors that a training lowers: of numbers or of classes, with their units."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from fitreel.data.dataset import Dataset, Rows, scaled
from fitreel.settings import LossName

# From the outputs of a network, (rows, outputs), and targets, (rows, 1) or places of classes
# (rows,), to their mean.
ErrorFunction = Callable[[Tensor, Tensor], Tensor]

ERRORS: dict[LossName, ErrorFunction] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,  # square up to 1, one deviation of scaled targets; straight from there
}


def error_function(dataset: Dataset, loss: LossName) -> ErrorFunction:
    """Return what the training lowers: cross-entropy for classes, else what ``loss`` names."""
    return F.cross_entropy if dataset.classes else ERRORS[loss]


def prepared(dataset: Dataset, rows: Rows | Dataset) -> tuple[Tensor, Tensor]:
    """Return inputs, (rows, features), and targets as the error function takes them."""
    inputs, targets = scaled(dataset, rows)
    return inputs, targets if dataset.classes else targets.unsqueeze(1)


def loss_unit(dataset: Dataset, loss: LossName) -> float:
    """Return by what a loss on scaled rows is multiplied to be in raw units; 1 without scaling."""
    if dataset.classes or dataset.scaling is None:
        return 1.0
    deviation = float(dataset.scaling.target_deviation)
    return deviation if loss == "mae" else deviation**2
