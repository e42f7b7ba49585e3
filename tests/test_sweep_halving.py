"""Successive halving: when trials are dropped, and which ones."""

from fitreel.sweep.halving import rungs, worse_half


def test_rungs() -> None:
    assert rungs(1000) == [62, 125, 250, 500]
    assert rungs(3) == [1]
    assert rungs(1) == []


def test_the_worse_half_leaves() -> None:
    assert sorted(worse_half(10, {0: 0.4, 3: 0.1, 5: 0.2, 7: 0.3})) == [0, 7]
    assert worse_half(10, {0: 0.4, 3: 0.1, 5: 0.2}) == [0]
    assert worse_half(10, {0: 0.1, 1: 0.1}) == [1]
    assert worse_half(10, {4: 0.1}) == []
    assert worse_half(10, {}) == []
