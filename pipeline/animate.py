"""animate: film how the network learned, and write a page that plays it."""

from typing import TYPE_CHECKING

import fitreel
import fitreel.pages
import fitreel.pictures
import fitreel.tracking
from fitreel.settings import (
    DataSettings,
    FilmSettings,
    ImageSettings,
    PlayerSettings,
    TrainingSettings,
)
from fitreel.tracking.names import PLAYER, film_path
from pipeline.shared import console
from pipeline.shared.copies import Copies
from pipeline.shared.image_films import film_directory, film_images
from pipeline.shared.options import FILM, IMAGES
from pipeline.shared.progress import progress
from pipeline.shared.session import Session
from pipeline.shared.stage import nothing, stage

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.tracking import Run, Source
    from fitreel.training.history import History


def animate(
    film: FilmSettings,
    player: PlayerSettings,
    step_images: ImageSettings,
    session: Session,
    images: IMAGES = None,
    out: FILM = None,
) -> None:
    """Film how the network of a run learned: rst.gif or rst.mp4, and player.html.

    With --images it films images that others drew, of a run or of a directory.
    Example: fitreel animate --run RUN --fps 10 --format mp4
    """
    if out and images:
        film_directory(images, out, film, session)
    elif out:
        raise ValueError("--out names the film of a directory: add --images DIRECTORY")
    elif images:
        film_images(images, film, session)
    elif (source := session.any_source()).is_film:
        film_again(source, film, player, step_images, session)
    else:
        film_experiment(film, player, step_images, session)


def film_experiment(
    film: FilmSettings, player: PlayerSettings, step_images: ImageSettings, session: Session
) -> None:
    """Film the network of a run of ours."""
    source = session.source()
    dataset, history = source.dataset(), source.history()
    session.check_free(source, "animate", files(film, player))
    if source.has_changed_points:
        console.warn(
            f"the points of run {source.run_id} changed after its training: "
            "the film shows the present ones"
        )
    data, training = source.data_settings(), source.training_settings()
    with session.run(source) as run:
        if not session.writes_to(source):
            run.set_name(f"{source.name}-animate")
        settings = (film, player, step_images)
        film_training(run, dataset, history, *settings, data, training, run_id=source.run_id)


def film_again(
    source: "Source",
    film: FilmSettings,
    player: PlayerSettings,
    step_images: ImageSettings,
    session: Session,
) -> None:
    """Make the film and the player of a film run again, from its frames.

    The run may be of another program, so nothing else of it changes.
    """
    reel = source.reel()
    if not reel.frames:
        raise ValueError(f"run {source.run_id} is a film without a frame")
    if not session.writes_to(source):
        session.check_free(source, "animate", files(film, player))
    with session.run(source, as_guest=True) as run:
        if not session.writes_to(source):
            run.set_name(f"{source.name}-animate")
        frames = min(len(reel.frames), film.max_frames)
        with run.artifacts() as folder, progress("animate", frames) as show:
            fitreel.render_reel(reel, folder / film_path(film.format), film, show)
            if player.player == "on":
                fitreel.write_reel_player(reel, folder / PLAYER, source.name)
        if step_images.log_images:
            fitreel.tracking.log_step_images(run, reel.recording(step_images.log_images))


def files(film: FilmSettings, player: PlayerSettings) -> tuple[str, ...]:
    """Return the paths of the artifacts that are logged."""
    return (film_path(film.format), *((PLAYER,) if player.player == "on" else ()))


@stage("animate", restore=nothing)
def film_training(
    run: "Run",
    dataset: "Dataset",
    history: "History",
    film: FilmSettings,
    player: PlayerSettings,
    step_images: ImageSettings,
    data: DataSettings | None,
    training: TrainingSettings | None,
    copies: Copies | None = None,
    run_id: str = "",
) -> None:
    """Render the film, write the player and log both; copies of them may be left.

    ``run_id`` is a run that has the points, for the player of points that no settings draw.
    """
    for settings in (film, player, step_images):
        run.log_settings(settings)
    frames = min(len(history.frame_epochs), film.max_frames)
    with run.artifacts() as folder, progress("animate", frames) as show:
        fitreel.pictures.render(dataset, history, folder / film_path(film.format), film, show)
        if player.player == "on":
            # How edited points were drawn is unknown, and so is their noise floor.
            page, known = folder / PLAYER, [each for each in (training, data) if each]
            fitreel.pages.write_player(
                dataset, history, page, run.name, settings=known, run_id=run_id
            )
        if copies:
            copies.add(folder)
    if step_images.log_images:
        from fitreel.reel.of_history import record  # imports torch

        shown = record(dataset, history, step_images.log_images)
        fitreel.tracking.log_step_images(run, shown)
