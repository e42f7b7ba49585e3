import re
from typing import cast

import pytest

from fitreel.tracking import Run
from fitreel.tracking.facts import Facts
from pipeline.shared.note import note

RUN = "0123456789abcdef0123456789abcdef"
PARAMS = {"samples": "100", "noise": "0.2", "lr": "0.20", "epochs": "50", "live": "off"}


def fake_run(
    params: dict[str, str],
    metrics: dict[str, float] | None = None,
    tags: dict[str, str] | None = None,
) -> Run:
    """Return a run with the attributes that a note reads."""
    return cast(Run, Facts(RUN, "7", "a name", params, metrics or {}, tags or {}))


def test_a_note_shows_results_commands_and_settings() -> None:
    metrics = {"loss": 0.00421, "train_rmse": 0.06, "test_rmse": 0.0649, "dead_neurons": 17.0}
    more = {"noise_floor": "0.057735", "hidden": "20"}
    text = note(fake_run(PARAMS | more, metrics)).replace("&emsp;", " ")
    assert text.startswith("| | |\n|---|---|\n|loss |0.00421 |\n|train_rmse |0.06 |\n")
    assert "|test_rmse |0.0649 |\n|noise floor of test_rmse |0.05774 |\n" in text
    assert "|dead neurons |17 of 20 |\n" in text
    assert "    fitreel run --lr 0.20 --epochs 50\n" in text
    assert "    mlflow run . -P lr=0.20 -P epochs=50\n" in text
    assert text.endswith(
        "- Points: samples `100`, noise `0.2`\n- Training: hidden `20`, lr `0.20`, epochs `50`"
    )


def test_a_note_leaves_out_what_the_run_lacks() -> None:
    text = note(fake_run({"samples": "100"}))
    assert text.startswith("**Reproduce**")
    assert "Training" not in text


def test_a_note_shows_the_settings_in_force() -> None:
    text = note(fake_run(PARAMS | {"test_samples": "1000"}, tags={"fitreel.override.epochs": "80"}))
    assert "    fitreel run --lr 0.20 --epochs 80\n" in text
    assert "epochs `80`" in text
    assert "50" not in text


def test_hostile_params_are_quoted() -> None:
    text = note(fake_run({"function": "`<b>\n# sine; rm -rf ~"}))
    assert r"`'<b>\n# sine; rm -rf ~`" in text
    assert "    fitreel run --function '`<b>\\n# sine; rm -rf ~'\n" in text


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, ["rst.gif", "rst.png"]),
        ({"fitreel.override.format": "mp4"}, ["rst.png"]),  # an mp4 cannot be embedded
    ],
)
def test_a_note_shows_the_pictures_of_the_run(changes: dict[str, str], shown: list[str]) -> None:
    metrics = {"loss": 0.1, "system/animate_seconds": 0.4, "system/evaluate_seconds": 0.3}
    text = note(fake_run({"format": "gif"}, metrics, changes))
    address = f"get-artifact?path={{}}&run_uuid={RUN}"
    assert re.findall(r"!\[(.*?)\]\((.*?)\)", text) == [
        (file, address.format(file)) for file in shown
    ]
    assert "![" not in note(fake_run({"format": "gif"}, {"loss": 0.1}))


def test_a_note_begins_with_a_baseline_that_is_better() -> None:
    metrics = {
        "test_rmse": 61.2,
        "test_r2": 0.3,
        "test_mae": 50.5,
        "ridge_test_rmse": 54.3,
        "mean_test_rmse": 77.0,
    }
    text = note(fake_run({}, metrics)).replace("&emsp;", " ")
    first, *_ = text.splitlines()
    assert first == (
        "**The network is worse than ridge regression on the test rows (rmse 61.2 against 54.3)**"
    )
    assert "|test_mae |50.5 |" in text
    assert "|test_rmse of ridge regression |54.3 |" in text
    assert "|test_rmse of the mean of the training rows |77 |" in text
    better = note(fake_run({}, metrics | {"test_rmse": 50.0}))
    assert "worse" not in better
    nothing = note(fake_run({}, metrics, {"fitreel.nothing_learned": "it is dead"}))
    assert nothing.splitlines()[0] == "**The network learned nothing**: it is dead"


def test_a_note_links_to_the_player_if_the_run_has_one() -> None:
    metrics = {"system/animate_seconds": 0.4}
    link = f"[player.html](#/experiments/7/runs/{RUN}/artifacts/player.html)"
    assert link in note(fake_run({"player": "on"}, metrics))
    assert link not in note(fake_run({"player": "off"}, metrics))
    assert link in note(fake_run({"player": "off"}, metrics, {"fitreel.override.player": "on"}))
    # Of a run of fitreel 0.3.0, filmed again.
    assert link in note(fake_run({"player": "on"}, {}, {"fitreel.animate_seconds": "0.4"}))
