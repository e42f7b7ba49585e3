"""run: all four stages, one run.

They share this process: importing torch and mlflow takes longer than the work.
"""

from typing import TYPE_CHECKING

import fitreel.training
from fitreel.settings import (
    CheckpointSettings,
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    ImageSettings,
    LiveSettings,
    PlayerSettings,
    TableSettings,
    TrainingSettings,
)
from fitreel.tracking.names import PLAYER
from pipeline import animate, evaluate, generate, train
from pipeline.shared.options import COPIES, OPENED, REGISTER
from pipeline.shared.own_data import own_data, rows_of
from pipeline.shared.session import Session
from pipeline.shared.viewing import page_file, show_in_browser

if TYPE_CHECKING:
    from fitreel.tracking import Source


def run(
    data: DataSettings,
    table: TableSettings,
    training: TrainingSettings,
    checkpoints: CheckpointSettings,
    live: LiveSettings,
    evaluation: EvaluationSettings,
    film: FilmSettings,
    player: PlayerSettings,
    step_images: ImageSettings,
    session: Session,
    out: COPIES = None,
    register: REGISTER = None,
    open_player: OPENED = False,
) -> None:
    """Draw points or read a table, train, evaluate and film: all four stages in one run.

    Example: fitreel run --lr 0.2 --activation tanh
    """
    if open_player and player.player == "off":
        raise ValueError("--open shows the player; leave out --player off")
    # First: a table that cannot be read creates neither a store nor a run.
    with own_data(table, data, session) as opened:
        source = session.source_or_none()
        check_unused(session, source)
        session.check_free(source, "evaluate", evaluate.FILES)
        session.check_free(source, "animate", animate.files(film, player))
        # Here and not only in the training: too many frames are refused before a run is created.
        if session.is_new:
            fitreel.training.check_frames(training, rows_of(opened))
        if out:
            session.copies.leave_in(session.directory / out)
        # Before the run is opened: if it cannot be shown, nothing is created.
        with train.watching(live) as view, session.run(source) as run:
            prefix = f"{table.label}-" if table else data.prefix
            run.set_name(prefix + training.label)
            dataset = generate.make_dataset(run, data, opened)
            trained = train.train_network(run, dataset, training, checkpoints, live, view)
            weights, history = trained
            known, copies = None if table else data, session.copies
            evaluate.measure_fit(run, dataset, weights, known, evaluation, copies=copies)
            shown = (film, player, step_images)
            animate.film_training(run, dataset, history, *shown, known, training, copies)
            if view:
                view.finish(run.artifact(PLAYER))
            session.register(run, register, run.run_id)
    if open_player:
        page = page_file(session.tracker.source(run.run_id))
        show_in_browser(page.as_uri())


def check_unused(session: Session, source: "Source | None") -> None:
    """Raise ValueError if the experiment would replace the points or the training of a run."""
    into = session.into(source)
    if session.is_new and into and (into.has_dataset or into.has_training or into.has_model):
        raise ValueError(f"run {into.run_id} is an experiment already; leave out --run")
    session.check_free(source, "generate", generate.FILES)
    session.check_free(source, "train", train.FILES)
