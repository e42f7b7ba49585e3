"""The frames of a watched training, kept for a page that opens later."""

import numpy as np

from fitreel.live.controls import Controls
from fitreel.live.watched import MOST_FRAMES, Watched
from fitreel.reel.listener import Frame


def test_of_many_frames_the_first_and_the_last_are_kept_and_those_between_evenly() -> None:
    watched = Watched(Controls())
    for step in range(10 * MOST_FRAMES):
        watched.add_frame(Frame(step, 1.0, np.zeros(3, np.float32)))
        steps = [frame.step for frame in watched.frames]
        assert (steps[0], steps[-1]) == (0, step)
        assert len(steps) <= MOST_FRAMES
    gaps = np.diff(steps)
    assert (np.diff(gaps) <= 0).all()  # wide ones first, as many as were thinned
