import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fitreel.comparison.compared import first_with_points
from fitreel.comparison.runs import compare
from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.settings import MOST_RUNS, DataSettings
from fitreel.settings.metrics import higher_is_better
from tests.compared import HOSTILE, compared, hostile
from tests.films import boosted, filmed


def test_differing_params_come_in_the_order_of_the_settings() -> None:
    runs = [
        compared(lr=0.1, params={"zoo": "1", "alien": "2", "function": "sine"}),
        compared(lr=0.2, params={"zoo": "2"}),
    ]
    comparison = compare(runs)
    assert comparison.differing == ("function", "lr", "zoo", "alien")  # which one run lacks
    assert comparison.equal["hidden"] == "20"
    assert list(comparison.equal)[:3] == ["samples", "noise", "x_min"]
    assert not comparison.equal.keys() & set(comparison.differing)


def test_settings_of_stages_that_a_diverged_run_never_reached_are_no_difference() -> None:
    complete = compared(lr=0.1, params={"test_samples": "1000", "fps": "20"})
    diverged = compared(lr=0.2)
    comparison = compare([complete, diverged])
    assert comparison.differing == ("lr",)
    assert not {"test_samples", "fps"} & comparison.equal.keys()
    other = compared(lr=0.2, params={"test_samples": "9"})
    assert compare([complete, other]).differing == ("lr", "test_samples")


@pytest.mark.parametrize("count", [0, 1, MOST_RUNS + 1])
def test_two_to_sixty_runs_can_be_compared(count: int) -> None:
    with pytest.raises(ValueError, match=f"from 2 to 60 runs can be compared; got {count}"):
        compare([compared()] * count)


def test_the_chosen_metric_comes_first_then_the_usual_ones() -> None:
    runs = [compared(metrics={"aaa": 1.0}), compared(metrics={"zzz": 1.0})]
    metrics = compare(runs, "train_rmse").metrics
    assert metrics == (
        *("train_rmse", "test_rmse", "test_r2", "dead_neurons", "loss"),
        *("aaa", "zzz"),
    )
    assert "unknown" not in compare(runs, "unknown").metrics


def test_the_best_run_has_the_lowest_metric_or_the_highest_r2() -> None:
    assert higher_is_better("test_r2")
    assert not higher_is_better("test_rmse")
    values = [
        {"mse": 2.0, "r2": 0.5, "tie": 1.0, "same": 3.0, "odd": math.nan},
        {"mse": 1.0, "r2": 0.9, "tie": 1.0, "same": 3.0, "odd": 5.0},
        {"mse": math.nan, "r2": math.nan, "tie": 4.0, "same": 3.0, "odd": 6.0, "alone": 1.0},
    ]
    run = compared()
    best = compare([replace(run, metrics=each) for each in values], "mse").best
    assert best["mse"] == best["r2"] == {1}
    assert best["tie"] == {0, 1}
    assert best["odd"] == {1}
    assert best["same"] == best["alone"] == frozenset()


def test_equal_names_are_extended_by_the_start_of_their_ids() -> None:
    runs = [compared(1, name="a"), compared(2, name="b"), compared(3, name="a")]
    assert compare(runs).labels == ("a 00000001", "b", "a 00000003")


def test_runs_that_differ_in_seed_form_groups_with_a_confidence_interval() -> None:
    runs = [compared(lr=lr, seed=seed) for seed in range(3) for lr in (0.05, 0.1)]
    comparison = compare([*runs, compared(lr=0.2)])
    assert [group.runs for group in comparison.groups] == [(0, 2, 4), (1, 3, 5)]
    assert [group.label for group in comparison.groups] == ["lr 0.05", "lr 0.1"]
    group = comparison.groups[1]
    losses = np.stack([runs[place].history.losses for place in group.runs])
    low, high = stats.t.interval(0.95, 2, losses.mean(axis=0), stats.sem(losses))
    assert group.losses == pytest.approx(losses.mean(axis=0))
    assert group.high == pytest.approx(high)
    assert group.low == pytest.approx(np.maximum(low, losses.min(axis=0)))
    assert (group.low > 0).all()
    values = [runs[place].metrics["test_rmse"] for place in group.runs]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    found = group.metrics["test_rmse"]
    assert found.mean - found.half_width == pytest.approx(low)
    assert found.mean + found.half_width == pytest.approx(high)
    assert found.count == 3


def test_a_group_needs_two_seeds_and_counts_each_once() -> None:
    first, second = compared(seed=0), compared(seed=1)
    assert compare([first, first]).groups == ()
    (group,) = compare([first, first, second]).groups
    assert group.runs == (0, 2)
    assert group.label == "2 seeds"
    assert group.metrics["loss"].count == 2


def test_edited_points_and_shorter_histories_are_in_no_group() -> None:
    edited = compared(seed=1, dataset=generate(DataSettings(data_seed=9)))
    shorter = replace(compared(seed=2, epochs=30), params={**compared().params, "seed": "2"})
    assert compare([compared(), edited, shorter]).groups == ()


def test_a_metric_of_a_group_needs_two_finite_values() -> None:
    values = [{"a": 1.0, "b": 1.0, "c": 1.0}, {"a": math.inf, "b": 3.0}, {"a": math.nan, "b": 2.0}]
    runs = [replace(compared(seed=seed), metrics=each) for seed, each in enumerate(values)]
    (group,) = compare(runs).groups
    assert group.metrics.keys() == {"b"}
    assert group.metrics["b"].mean == 2


def test_runs_with_equal_points_are_grouped_under_the_first() -> None:
    other = Dataset(generate().x, generate().y + 1)
    runs = [compared(), compared(dataset=other), compared(), compared(dataset=other)]
    assert first_with_points(runs) == [0, 1, 0, 1]


def test_strange_text_is_kept_as_it_is() -> None:
    comparison = compare(hostile())
    assert comparison.labels == (*HOSTILE[:-1], "00000007")  # a blank name would be invisible
    assert set(HOSTILE) < set(comparison.differing) | {"lr"}


def test_settings_of_films_do_not_separate_seeds() -> None:
    runs = [
        compared(seed=seed, params={"fps": str(10 + seed), "player": "on"}) for seed in range(3)
    ]
    (group,) = compare([*runs, compared(lr=0.7)]).groups
    assert group.runs == (0, 1, 2)
    assert "fps" not in group.label


# ---- films of any model


def test_what_films_lack_of_the_settings_of_our_networks_is_no_difference() -> None:
    film = filmed(params={"lr": "0.5", "depth": "3"})
    comparison = compare([compared(lr=0.1), compared(lr=0.1, seed=1), film])
    assert comparison.differing == ("lr", "seed", "depth")  # seed differs between the networks
    assert comparison.step_name == "epoch"
    alone = compare([film, filmed(params={"depth": "4"})])
    assert alone.differing == ("depth", "lr")
    assert alone.step_name == "step"


def test_films_are_grouped_by_their_seed_if_they_have_one() -> None:
    seeds = [filmed(n, params={"lr": "0.1", "seed": str(n)}) for n in range(3)]
    (group,) = compare([compared(), *seeds]).groups
    assert group.runs == (1, 2, 3)
    assert group.losses == pytest.approx(seeds[0].losses)
    without = [filmed(n, params={"lr": "0.1"}) for n in range(2)]
    assert compare([*without, seeds[0]]).groups == ()


def test_films_of_other_names_points_or_steps_are_in_no_group() -> None:
    first = filmed(params={"seed": "0"})
    other = {"seed": "1"}
    points = Dataset(generate().x, generate().y + 1)
    for changed in (
        filmed(name="another model", params=other),
        filmed(steps=range(1, 61), params=other),
        filmed(steps=range(30), params=other),
        filmed(dataset=points, params=other),
        compared(params=other, epochs=60),
    ):
        assert compare([first, changed]).groups == ()
    assert compare([first, filmed(params=other)]).groups


def test_a_group_of_films_is_labelled_by_what_they_have() -> None:
    first, second = (
        [filmed(n, name=name, params={"lr": lr, "seed": str(n)}) for n in range(2)]
        for name, lr in (("tree", "0.1"), ("net", "0.2"))
    )
    groups = compare([compared(hidden=5), compared(hidden=6), *first, *second]).groups
    assert [group.label for group in groups] == ["tree, lr 0.1", "net, lr 0.2"]


def test_a_boosted_tree_has_a_loss_and_a_frame_of_each_stage() -> None:
    tree = boosted(stages=12)
    assert tree.steps.tolist() == tree.frame_steps.tolist() == list(range(1, 13))
    assert tree.span == (1, 12)
    recording = tree.record(np.array([11, 0, 0]))
    assert recording.epochs.tolist() == [12, 1, 1]
    assert recording.losses == pytest.approx(tree.losses[[11, 0, 0]])
    assert first_with_points([compared(), tree]) == [0, 0]


def test_losses_that_are_no_numbers_leave_a_gap_in_a_mean() -> None:
    losses = [[1.0, math.nan, 3.0], [2.0, 2.0, math.inf]]
    runs = [
        filmed(n, steps=range(3), losses=each, params={"seed": str(n)})
        for n, each in enumerate(losses)
    ]
    (group,) = compare(runs).groups
    assert group.losses[0] == 1.5
    assert not np.isfinite(group.losses[1:]).any()
