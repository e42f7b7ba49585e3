import numpy as np
import pytest
import torch

from fitreel.comparison.timeline import timeline
from fitreel.training.history import History
from fitreel.training.weights import Weights
from tests.compared import compared


def history(*frame_epochs: int, epochs: int = 1000) -> History:
    weights = Weights.from_flat(torch.zeros(len(frame_epochs), 4), "relu")
    return History(np.ones(epochs), np.array(frame_epochs), weights)


def test_all_epochs_of_all_frames_are_steps() -> None:
    steps = timeline([history(0, 10, 20, 30), history(0, 15)], 100)
    assert steps.epochs.tolist() == [0, 10, 15, 20, 30]
    assert steps.frames.tolist() == [
        [0, 1, 1, 2, 3],
        [0, 0, 1, 1, 1],
    ]  # the shorter run stays at its end


def test_many_steps_are_thinned_evenly_with_both_ends_kept() -> None:
    steps = timeline([history(*range(0, 1000, 5)), history(*range(0, 1000, 10))], 5)
    assert steps.epochs.tolist() == [0, 250, 500, 745, 995]
    assert steps.frames.tolist() == [[0, 50, 100, 149, 199], [0, 25, 50, 74, 99]]
    assert steps.epochs.dtype == steps.frames.dtype == np.int64


def test_a_step_shows_the_last_frame_up_to_its_epoch() -> None:
    histories = [compared(frame_every=every).history for every in (5, 7)]
    steps = timeline(histories, 6)
    for each, frames in zip(histories, steps.frames, strict=True):
        shown = each.frame_epochs[frames]
        following = np.append(each.frame_epochs, 10**9)[frames + 1]
        assert (shown <= steps.epochs).all()
        assert (steps.epochs < following).all()


def test_before_its_first_frame_a_run_shows_its_first_frame() -> None:
    assert timeline([history(0, 1, 2), history(2)], 9).frames[1].tolist() == [0, 0, 0]


def test_a_timeline_of_one_frame_is_valid_but_not_of_one_step() -> None:
    assert timeline([history(0), history(0)], 2).epochs.tolist() == [0]
    with pytest.raises(ValueError, match="2 steps or more; got 1"):
        timeline([history(0)], 1)
