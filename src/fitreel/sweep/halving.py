"""Pruning by successive halving: which half of a round to drop, and when.

Optuna's own judges one trial at a time by those before it; here all trials of a round are known.
"""

from collections.abc import Mapping

RUNGS = 4


def rungs(epochs: int) -> list[int]:
    """Return the epochs at which trials are dropped: 1/16, 1/8, 1/4 and 1/2 of all."""
    return sorted({epochs >> power for power in range(1, RUNGS + 1)} - {0})


def worse_half(epoch: int, losses: Mapping[int, float]) -> list[int]:  # noqa: ARG001
    """Return the places to drop; of an odd number the middle one stays, of equals the first."""
    # With the place, so that equal losses are dropped in the same order on every machine.
    ranked = sorted(losses, key=lambda place: (losses[place], place))
    return ranked[-(len(ranked) // 2) :] if len(ranked) > 1 else []
