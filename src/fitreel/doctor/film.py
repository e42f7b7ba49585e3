"""The check of films: a film of two frames is written and read."""

import imageio.v3 as imageio

from fitreel.data.drawing import generate
from fitreel.doctor.finding import Finding
from fitreel.journal.spool import scratch
from fitreel.pictures.camera import SIZE
from fitreel.pictures.film import render
from fitreel.settings import FilmFormat, FilmSettings, TrainingSettings
from fitreel.training.loop import fit


def check_film(form: FilmFormat) -> Finding:
    """Train for two epochs, film them, and open the film."""
    dataset = generate()
    history = fit(dataset, TrainingSettings(epochs=2, frame_every=1)).history
    with scratch() as folder:
        path = folder / f"rst.{form}"
        render(dataset, history, path, FilmSettings(format=form))
        shape = imageio.imread(path, index=1).shape
    fine = shape[:2] == SIZE[::-1]  # an array has its height first
    return Finding(fine, "a film was written and read" if fine else f"its shape is {shape}")
