"""The rows that are held out: how many, which, and the same for ever."""

import numpy as np
import pytest

from fitreel.data.table.split import Rule, hold_out, shuffled


def every(rows: int) -> np.ndarray:
    return np.ones(rows, bool)


def test_a_seed_holds_out_the_same_rows_for_ever() -> None:
    """Written down once: a change would give every run of a table other test rows."""
    assert shuffled(0, 12).tolist() == [5, 3, 7, 8, 11, 2, 4, 1, 10, 0, 6, 9]
    assert np.flatnonzero(hold_out(0.25, Rule(7), every(12))).tolist() == [3, 9, 11]


def test_the_order_is_not_that_of_initial_weights() -> None:
    raw = np.random.Philox(key=3).random_raw(50)
    assert shuffled(3, 50).tolist() != np.argsort(raw).tolist()


@pytest.mark.parametrize(("rows", "share", "count"), [(10, 0.2, 2), (3, 0.01, 1), (7, 0.5, 4)])
def test_a_share_of_the_rows_is_held_out(rows: int, share: float, count: int) -> None:
    assert hold_out(share, Rule(1), every(rows)).sum() == count


def test_other_seeds_hold_out_other_rows_and_all_rows_equally_often() -> None:
    counts = np.sum([hold_out(0.2, Rule(seed), every(20)) for seed in range(500)], axis=0)
    assert 70 < counts.min() < counts.max() < 130


def test_a_row_that_takes_no_part_changes_nothing_for_the_others() -> None:
    held = hold_out(0.5, Rule(5), every(40))
    some = every(40)
    some[np.flatnonzero(held)[:4]] = False
    again = hold_out(16 / 36, Rule(5), some)
    assert (again <= held).all()
    assert again.sum() == 16


def test_of_each_class_the_same_share_is_held_out() -> None:
    strata = np.repeat([0, 1, 2], [70, 20, 10])
    held = hold_out(0.2, Rule(0, strata=strata), every(100))
    assert np.bincount(strata[held]).tolist() == [14, 4, 2]


def test_what_rounding_leaves_over_goes_to_the_classes_that_lost_most() -> None:
    strata = np.repeat([0, 1, 2], [9, 6, 3])  # a fifth: 1.8, 1.2, 0.6; in all 4
    held = hold_out(0.2, Rule(0, strata=strata), every(18))
    assert np.bincount(strata[held], minlength=3).tolist() == [2, 1, 1]


def test_the_last_row_of_a_class_is_never_held_out() -> None:
    strata = np.repeat([0, 1, 2], [8, 1, 2])
    for seed in range(20):
        held = hold_out(0.9, Rule(seed, strata=strata), every(11))
        assert set(strata[~held]) == {0, 1, 2}


def test_rows_of_a_group_stay_together() -> None:
    groups = np.random.default_rng(0).integers(0, 30, 300)
    held = hold_out(0.2, Rule(4, groups=groups), every(300))
    assert not set(groups[held]) & set(groups[~held])
    assert 45 < held.sum() < 75


def test_the_share_of_groups_is_that_of_the_rows_that_take_part() -> None:
    groups = np.arange(100) // 10
    held = hold_out(0.4, Rule(4, groups=groups), np.arange(100) < 50)
    assert held.sum() == 20


def test_a_seed_decides_which_groups() -> None:
    groups = np.arange(100) // 10
    chosen = {
        tuple(set(groups[hold_out(0.1, Rule(s, groups=groups), every(100))])) for s in range(60)
    }
    assert len(chosen) == 10


def test_the_latest_rows_are_held_out_and_those_of_one_time_stay_together() -> None:
    times = np.array([5.0, 1, 4, 4, 2, 3, 4, 0, 1, 2])
    held = hold_out(0.3, Rule(0, times=times), every(10))
    assert times[held].tolist() == [5, 4, 4, 4]
    assert hold_out(0.3, Rule(99, times=times), every(10)).tolist() == held.tolist()


@pytest.mark.parametrize("rule", [Rule(0, groups=np.zeros(9)), Rule(0, times=np.zeros(9))])
def test_one_group_cannot_be_divided(rule: Rule) -> None:
    with pytest.raises(ValueError, match="no rows can be held out"):
        hold_out(0.5, rule, every(9))


def test_one_row_cannot_be_divided() -> None:
    with pytest.raises(ValueError, match="no rows can be held out of 1"):
        hold_out(0.5, Rule(0), every(1))
