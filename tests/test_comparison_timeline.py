import numpy as np
import pytest
import torch

from fitreel.comparison.compared import OwnRun
from fitreel.comparison.timeline import moments_of, timeline
from fitreel.data.drawing import generate
from fitreel.training.history import History
from fitreel.training.weights import Weights
from tests.compared import compared
from tests.films import filmed


def run(*frame_epochs: int, epochs: int = 1000) -> OwnRun:
    weights = Weights.from_flat(torch.zeros(len(frame_epochs), 4), "relu")
    history = History(np.ones(epochs), np.array(frame_epochs), weights)
    return OwnRun("0", "run", {}, {}, generate(), history)


def test_all_epochs_of_all_frames_are_moments() -> None:
    shown = timeline([run(0, 10, 20, 30), run(0, 15)], 100, "epoch")
    assert shown.moments.tolist() == [0, 10, 15, 20, 30]
    assert shown.frames.tolist() == [
        [0, 1, 1, 2, 3],
        [0, 0, 1, 1, 1],
    ]  # the shorter run stays at its end


def test_by_share_all_trainings_begin_and_end_together() -> None:
    long, short = run(0, 25, 50, 99, epochs=100), run(0, 4, 9, epochs=10)
    boosted = filmed(steps=(1, 2, 3))  # stages count from 1
    shown = timeline([long, short, boosted], 100, "share")
    shares = [0, 25 / 99, 4 / 9, 0.5, 50 / 99, 1]
    assert shown.moments == pytest.approx(shares)
    assert shown.frames.tolist() == [
        [0, 1, 1, 1, 2, 3],
        [0, 0, 1, 1, 1, 2],
        [0, 0, 0, 1, 1, 2],
    ]


def test_a_share_is_of_all_steps_with_a_loss_or_a_frame() -> None:
    # The last frame is the trained network, after the last update, whose loss is before it.
    weights = Weights.from_flat(torch.zeros(2, 4), "relu")
    trained = History(np.ones(10), np.array([0, 10]), weights, trained_loss=0.5)
    whole = OwnRun("0", "run", {}, {}, generate(), trained)
    assert moments_of(whole, np.array([0, 5, 10]), "share").tolist() == [0, 0.5, 1]
    # Another's training ended without a frame.
    short = run(0, 4, epochs=9)
    assert moments_of(short, short.frame_steps, "share").tolist() == [0, 0.5]


def test_equal_shares_of_different_trainings_are_one_moment() -> None:
    one, other = run(0, 1, 3, epochs=4), run(0, 100, 300, epochs=301)
    assert len(timeline([one, other], 100, "share").moments) == 3


def test_a_training_of_one_step_is_at_its_start() -> None:
    one = filmed(steps=(7,))
    shown = timeline([one, filmed(steps=(0, 1, 2))], 100, "share")
    assert shown.frames.tolist() == [[0, 0, 0], [0, 1, 2]]


def test_many_moments_are_thinned_evenly_with_both_ends_kept() -> None:
    shown = timeline([run(*range(0, 1000, 5)), run(*range(0, 1000, 10))], 5, "epoch")
    assert shown.moments.tolist() == [0, 250, 500, 745, 995]
    assert shown.frames.tolist() == [[0, 50, 100, 149, 199], [0, 25, 50, 74, 99]]
    assert shown.frames.dtype == np.int64


@pytest.mark.parametrize("align", ["epoch", "share"])
def test_a_moment_shows_the_last_frame_up_to_it(align: str) -> None:
    runs = [compared(frame_every=every) for every in (5, 7)]
    shown = timeline(runs, 6, align)  # type: ignore[arg-type]
    for each, frames in zip(runs, shown.frames, strict=True):
        mine = moments_of(each, each.frame_steps, align)  # type: ignore[arg-type]
        following = np.append(mine, 10**9)[frames + 1]
        assert (mine[frames] <= shown.moments).all()
        assert (shown.moments < following).all()


def test_before_its_first_frame_a_run_shows_its_first_frame() -> None:
    assert timeline([run(0, 1, 2), run(2)], 9, "epoch").frames[1].tolist() == [0, 0, 0]


def test_a_timeline_of_one_frame_is_valid_but_not_of_one_moment() -> None:
    assert timeline([run(0), run(0)], 2, "epoch").moments.tolist() == [0]
    with pytest.raises(ValueError, match="2 moments or more; got 1"):
        timeline([run(0)], 1, "epoch")
