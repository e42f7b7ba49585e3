"""The rehearsal: a film of two frames, to see whether films can be made here."""

import imageio.v3 as imageio

from fitreel.camera import SIZE
from fitreel.checkup import Finding
from fitreel.dataset import generate
from fitreel.film import render
from fitreel.settings import FilmFormat, FilmSettings, TrainingSettings
from fitreel.spool import scratch
from fitreel.training import fit


def check_film(form: FilmFormat) -> Finding:
    """Train for two epochs, film them, and open the film again."""
    dataset = generate()
    history = fit(dataset, TrainingSettings(epochs=2, frame_every=1)).history
    with scratch() as folder:
        path = folder / f"rst.{form}"
        render(dataset, history, path, FilmSettings(format=form))
        shape = imageio.imread(path, index=1).shape
    fine = shape[:2] == SIZE[::-1]
    return Finding(fine, "a film was written and read again" if fine else f"its shape is {shape}")
