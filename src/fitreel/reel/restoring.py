"""What stays as it was while a model predicts: random numbers, and a module's mode and buffers."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Restore the state of all generators after the block: Python's, numpy's and torch's."""
    python, of_numpy = random.getstate(), np.random.get_state()
    is_used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = list(range(torch.cuda.device_count())) if is_used else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(of_numpy)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Set a module to evaluation without gradients; then each part has its mode and its buffers.

    A part may have a mode of its own, as a frozen one: ``train()`` would change all of them.
    """
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(part, name, buffer) for part in module.modules() for name, buffer in _own(part)]
    copies = [buffer.clone() for _, _, buffer in buffers]
    try:
        with torch.no_grad():
            for part, _ in modes:
                part.training = False
            yield
    finally:
        for part, mode in modes:
            part.training = mode
        with torch.no_grad():
            for (part, name, buffer), copy in zip(buffers, copies, strict=True):
                setattr(part, name, buffer)
                # Only then: a write would break the gradient of a pass that has to come yet.
                if not torch.equal(buffer, copy):
                    buffer.copy_(copy)


def _own(part: nn.Module) -> list[tuple[str, torch.Tensor]]:
    return list(part.named_buffers(recurse=False))
