"""The search space: how it is read, and the errors about invalid spaces."""

import pytest

from fitreel.settings import SweepSettings, TrainingSettings, with_values
from fitreel.settings.space import Dimension, count_points, parse_space


def test_ranges_and_choices() -> None:
    space = parse_space("lr=log:1e-3:0.5 hidden=int:2:64 activation=relu|tanh seed=0|1|2")
    assert space == (
        Dimension("lr", (), 1e-3, 0.5, is_log=True),
        Dimension("hidden", (), 2, 64),
        Dimension("activation", ("relu", "tanh")),
        Dimension("seed", (0, 1, 2)),
    )
    assert [each.is_range for each in space] == [True, True, False, False]


def test_commas_mean_the_same_and_need_no_quotes() -> None:
    assert parse_space("activation=relu,tanh seed=0,1,2") == parse_space(
        "activation=relu|tanh seed=0|1|2"
    )


@pytest.mark.parametrize(
    ("space", "trials", "sampler", "text"),
    [
        ("seed=0,1,2", 3, "random", None),
        ("lr=log:0.1:1 seed=0,1,2", 1000, "random", None),
        ("seed=7", 2, "random", "the space has 1 point, fewer than 2 trials: some are repeated"),
        (
            "seed=0,1,2 hidden=int:2:3",
            1000,
            "tpe",
            "the space has 6 points, fewer than 1,000 trials: some are repeated",
        ),
        (
            "seed=0,1,2",
            1000,
            "grid",
            "the space has 3 points: 3 of 1,000 trials are enough",
        ),
    ],
)
def test_a_space_with_too_few_points_is_reported(
    space: str, trials: int, sampler: str, text: str | None
) -> None:
    settings = SweepSettings(trials=trials, space=space, sampler=sampler)  # type: ignore[arg-type]
    assert settings.shortage == text


def test_a_count_chooses_values_evenly_on_the_scale() -> None:
    (rates,) = parse_space("lr=log:0.001:0.1:5")
    assert rates.values == (0.001, 0.00316228, 0.01, 0.0316228, 0.1)
    (widths,) = parse_space("hidden=log:4:64:5")
    assert widths.values == (4, 8, 16, 32, 64)
    (few,) = parse_space("hidden=int:1:3:10")
    assert few.values == (1, 2, 3)
    (linear,) = parse_space("lr=float:0.1:0.5:3")
    assert linear.values == (0.1, 0.3, 0.5)


def test_integers_form_a_grid_without_a_count() -> None:
    assert count_points(parse_space("hidden=int:2:64 seed=0|1|2")) == 63 * 3


BAD = {
    "": "it is empty",
    "lr": "'lr' needs a range or choices",
    "rate=1|2": "got 'rate'",
    "noise=float:0:1": "a sweep varies hidden, activation, optimizer, lr, epochs, seed, "
    "batch_size, loss, weight_decay, patience_epochs;",
    "frame_every=1|2": "got 'frame_every'",
    "lr=log:0.5:0.1": "lr needs LOW below HIGH",
    "lr=log:0.1:0.1": "lr needs LOW below HIGH",
    "lr=log:0:1": "lr: a log scale starts above 0; got 0",
    "seed=log:0:9": "seed: a log scale starts above 0",
    "lr=float:0:1": "space: lr must be above 0",
    "lr=float:fast:1": "lr: 'fast' is not a valid float",
    "lr=float:nan:1": "space: lr must be finite",
    "lr=0.1|": "lr has an empty choice: '0.1|'",
    "activation=": "activation has an empty choice",
    "activation=relu|step": "space: activation must be one of relu, tanh, sigmoid, gelu",
    "activation=int:1:2": "activation takes choices, as in relu,tanh",
    "hidden=float:1:2": "hidden takes one of int, log; got 'float'",
    "lr=int:1:2": "lr takes one of float, log; got 'int'",
    "hidden=int:2": "hidden takes int:LOW:HIGH or int:LOW:HIGH:COUNT",
    "hidden=int:2:9:1": "hidden can have from 2 to 10,000 values; got '1'",
    "hidden=int:2:9:many": "hidden can have from 2 to 10,000 values; got 'many'",
    "hidden=int:2:9999": "space: hidden must be from 1 to 4,096",
    "hidden=2|2": "hidden has a choice twice",
    "lr=0.1|0.2 lr=0.3|0.4": "lr is named twice",
    "seed=" + "0|" * 2000: "it has 4,005 characters; at most 2,000 are allowed",
    "lr=\x1b[2J:1:2": r"got '\x1b[2J'",
}


@pytest.mark.parametrize("text", BAD)
def test_an_invalid_space_is_an_error_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^space: ") as raised:
        SweepSettings(space=text)
    assert BAD[text] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_grid_must_fit_its_trials() -> None:
    grid = SweepSettings(sampler="grid", space="hidden=int:2:5 seed=0|1", trials=100)
    assert grid.count == 8
    with pytest.raises(ValueError, match="the grid has 12,096,000 points, more than"):
        SweepSettings(sampler="grid", space="hidden=int:2:64 seed=int:1:192000")
    with pytest.raises(ValueError, match=r"lr to try, as in lr=log:0\.001:0\.5:5"):
        SweepSettings(sampler="grid")


def test_cmaes_needs_ranges() -> None:
    with pytest.raises(ValueError, match="cmaes needs two or more ranges"):
        SweepSettings(sampler="cmaes", space="lr=log:1e-3:0.5 seed=0|1")


def test_settings_that_are_chosen_for_the_user() -> None:
    assert [SweepSettings().step(epochs) for epochs in (1, 100, 1000, 12345)] == [1, 1, 10, 123]
    assert SweepSettings(log_every=7).step(1000) == 7
    assert SweepSettings().most_of_a_round == 256
    assert SweepSettings(sampler="tpe").most_of_a_round == 32
    assert SweepSettings(round_size=9).most_of_a_round == 9
    assert SweepSettings(trials=7).label == "sweep-lr-hidden-random-7"


def test_a_trial_has_the_shared_settings_and_its_own_values() -> None:
    base = TrainingSettings(epochs=50, lr=0.3)
    assert with_values(base, {"lr": 0.2}) == TrainingSettings(epochs=50, lr=0.2)
