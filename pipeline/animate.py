"""animate: film how the network learned, and write a page that plays it."""

from typing import TYPE_CHECKING

import fitreel.pages
import fitreel.pictures
from fitreel.settings import DataSettings, FilmSettings, PlayerSettings, TrainingSettings
from fitreel.tracking.names import PLAYER, film_path
from pipeline.shared import console
from pipeline.shared.copies import Copies
from pipeline.shared.progress import progress
from pipeline.shared.session import Session
from pipeline.shared.stage import nothing, stage

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.tracking import Run
    from fitreel.training.history import History


def animate(film: FilmSettings, player: PlayerSettings, session: Session) -> None:
    """Film how the network of a run learned: rst.gif or rst.mp4, and player.html.

    Example: fitreel animate --run RUN --fps 10 --format mp4
    """
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
        film_training(run, dataset, history, film, player, data, training, run_id=source.run_id)


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
    data: DataSettings | None,
    training: TrainingSettings | None,
    copies: Copies | None = None,
    run_id: str = "",
) -> None:
    """Render the film, write the player and log both; copies of them may be left.

    ``run_id`` is a run that has the points, for the player of points that no settings draw.
    """
    run.log_settings(film)
    run.log_settings(player)
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
