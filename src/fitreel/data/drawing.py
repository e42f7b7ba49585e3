"""The drawing of points: a known curve, and noise on top."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fitreel.data.dataset import Dataset
from fitreel.settings import (
    LARGEST_SEED,
    DataSettings,
    FunctionName,
    shows_keywords,
    with_keywords,
)

FUNCTIONS: dict[FunctionName, Callable[[Tensor], Tensor]] = {
    "quadratic": torch.square,
    "sine": lambda x: torch.sin(math.pi * x),
    "cubic": lambda x: x**3,
    "step": lambda x: (x >= 0).to(x.dtype),
    "abs": torch.abs,
}


@shows_keywords(DataSettings)
def generate(settings: DataSettings | FunctionName = DataSettings(), **keywords: Any) -> Dataset:
    """Draw the points to train on, evenly spaced in x, with noise from ``data_seed``.

    ``settings`` may be the name of a function; keywords replace single settings. Defaults are those
    of DataSettings. Raises ValueError for a value out of range, TypeError for an unknown name.
    """
    if isinstance(settings, str):
        settings = DataSettings(function=settings)
    settings = with_keywords(DataSettings, settings, keywords, "generate")
    x = torch.linspace(settings.x_min, settings.x_max, settings.samples)
    return _with_noise(x, settings, torch.Generator().manual_seed(settings.data_seed))


def generate_unseen(settings: DataSettings, samples: int) -> Dataset:
    """Draw ``samples`` points of the same distribution from a seed that no training uses."""
    # torch's CPU generator ignores the upper 32 bits of a seed, so seeds end at 2³¹ - 1 and the
    # unseen points use the other half.
    generator = torch.Generator().manual_seed(LARGEST_SEED + 1 + settings.data_seed)
    span = settings.x_max - settings.x_min
    x = settings.x_min + span * torch.rand(samples, generator=generator)
    return _with_noise(x, settings, generator)


def _with_noise(x: Tensor, settings: DataSettings, generator: torch.Generator) -> Dataset:
    noise = torch.rand(x.shape, generator=generator)
    return Dataset(x, FUNCTIONS[settings.function](x) + settings.noise * noise, settings)
