"""Successive halving: at every rung the worse half of a batch leaves, and the work with it.

Optuna's own decides for one trial at a time, by those that came before it; a batch knows all.
"""

from collections.abc import Mapping

RUNGS = 4


def rungs(epochs: int) -> list[int]:
    """Give the epochs at which to look: a sixteenth, an eighth, a quarter, half of all."""
    return sorted({epochs >> power for power in range(1, RUNGS + 1)} - {0})


def worse_half(epoch: int, losses: Mapping[int, float]) -> list[int]:  # noqa: ARG001
    """Choose those to drop; of an odd number the one in the middle stays, of equals the first."""
    ranked = sorted(losses, key=lambda place: (losses[place], place))
    return ranked[-(len(ranked) // 2) :] if len(ranked) > 1 else []
