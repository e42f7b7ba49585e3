"""animate: film how the network learned."""

from typing import TYPE_CHECKING

import fitreel
from fitreel import FilmSettings
from pipeline import console
from pipeline.session import Session

if TYPE_CHECKING:
    from fitreel.dataset import Dataset
    from fitreel.history import History
    from fitreel.tracking import Run


def animate(film: FilmSettings, session: Session) -> None:
    """Film a run's training, frame by frame, as rst.gif or rst.mp4.

    Example: fitreel animate --run RUN --fps 10 --format mp4
    """
    source = session.source()
    dataset, history = source.dataset(), source.history()
    with session.run(source) as run:
        if not session.writes_to(source):
            run.set_name(f"{source.name}-animate")
        stage(run, dataset, history, film)


def stage(run: "Run", dataset: "Dataset", history: "History", film: FilmSettings) -> None:
    """Render the film and log it."""
    if run.has_done("animate"):
        return
    with run.stage("animate"):
        run.log_settings(film)
        frames = min(len(history.frame_epochs), film.max_frames)
        with run.artifacts() as folder, console.progress("animate", frames) as progress:
            fitreel.render(dataset, history, folder / f"rst.{film.format}", film, progress)
