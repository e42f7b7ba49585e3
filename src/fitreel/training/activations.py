"""The activations of the hidden layer."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fitreel.settings import ActivationName

# The module is for the printed structure; the function computes, without a module's calls.
ACTIVATIONS: dict[ActivationName, tuple[type[nn.Module], Callable[[Tensor], Tensor]]] = {
    "relu": (nn.ReLU, torch.relu),
    "tanh": (nn.Tanh, torch.tanh),
    "sigmoid": (nn.Sigmoid, torch.sigmoid),
    "gelu": (nn.GELU, F.gelu),
}
