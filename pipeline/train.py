"""train: train the network on the points of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import fitreel.live
import fitreel.training
from fitreel.settings import CheckpointSettings, LiveSettings, TrainingSettings, for_table
from fitreel.settings.metrics import BEST_EPOCH
from fitreel.tracking.names import (
    DIVERGED_TAG,
    FRAMES,
    FRAMES_FILE,
    HISTORY,
    HISTORY_FILE,
    NETWORK,
    NOTHING_LEARNED_TAG,
    PROVENANCE_FILE,
    TRAINING,
    WEIGHT_TABLE,
    WEIGHTS,
)
from pipeline import generate
from pipeline.shared import console
from pipeline.shared.progress import progress
from pipeline.shared.session import Session
from pipeline.shared.stage import stage

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.live import LiveHook, LiveView
    from fitreel.tracking import Run, Source
    from fitreel.training.history import History
    from fitreel.training.loop import Fit
    from fitreel.training.network import Network
    from fitreel.training.state import Training
    from fitreel.training.weights import Weights

FILES = (HISTORY, FRAMES, NETWORK, WEIGHT_TABLE, WEIGHTS)


def train(
    training: TrainingSettings,
    checkpoints: CheckpointSettings,
    live: LiveSettings,
    session: Session,
) -> None:
    """Train the network on a run's points; log every loss, the weights and the model.

    Example: fitreel train --run RUN --lr 0.05
    """
    source = session.source()
    dataset, data = source.dataset(), source.data_settings()
    if table := source.table_settings():
        training = for_table(training, table, session.typed)
    fitreel.training.check_frames(training, dataset)
    check_run(session, source)
    if source.has_changed_points:
        console.warn(
            f"the points of run {source.run_id} changed since they were drawn: its settings no "
            "longer describe them, so there will be no test on fresh points and no noise floor"
        )
    # Before the run is opened: if it cannot be shown, nothing is created.
    with watching(live) as view, session.run(source) as run:
        if not session.writes_to(source):
            generate.record_again(run, source)
        elif source.has_changed_points:
            generate.record_changed(run, source, "training")
        prefix = f"{table.label}-" if table else data.prefix if data else ""
        run.set_name(prefix + training.label)
        train_network(run, dataset, training, checkpoints, live, view)
        if view:
            view.finish(None)


def check_run(session: Session, source: "Source") -> None:
    """Raise ValueError if the training would replace another one, or points of other origin."""
    into = session.into(source) or source
    if not session.is_new:
        if into.has_training and into.has_changed_points:
            raise ValueError(
                f"the points of run {into.run_id} changed since its training started: restore "
                f"them, or train on them in a new run: mlflow run . -e train -P run={into.run_id}"
            )
        return
    if into.has_training or into.has_model:
        raise ValueError(
            f"run {into.run_id} is trained already; if its training was interrupted, use fitreel "
            "resume; to train again, use fitreel run, or mlflow run . -e train -P run=…"
        )
    if into is not source and into.has_dataset:
        raise ValueError(f"run {into.run_id} has points already; train on them, without --run")
    session.check_free(source, "train", FILES)
    if into is not source:
        session.check_free(source, "generate", generate.FILES)


@contextmanager
def watching(live: LiveSettings) -> "Iterator[LiveView | None]":
    """Open the live view if one is wanted, and close it however the block ends.

    Raises OSError if it cannot be opened.
    """
    view = fitreel.live.open_view(live)
    try:
        yield view
    finally:
        if view:
            view.close()


@stage("train", restore=lambda run: (run.weights(), run.history()))
def train_network(
    run: "Run",
    dataset: "Dataset",
    training: TrainingSettings,
    checkpoints: CheckpointSettings,
    live: LiveSettings,
    view: "LiveView | None",
) -> "tuple[Weights, History]":
    """Train and log the results; of a training that diverges, all up to that epoch."""
    for settings in (training, checkpoints, live):
        run.log_settings(settings)
    record_provenance(run)
    watch = fitreel.live.LiveHook(view, dataset, training, run.name) if view else None
    try:
        network, history = fit(run, dataset, training, checkpoints, watch)
    except fitreel.training.TrainingDiverged as error:
        run.set_tags({DIVERGED_TAG: str(error.epoch)})
        if error.history:
            record_history(run, error.history)
        raise
    record_history(run, history)
    if history.best_epoch is not None:
        run.log_metrics({BEST_EPOCH: history.best_epoch})
        console.say(
            f"stopped after {len(history.losses):,} epochs; the weights are those after "
            f"{history.best_epoch:,}"
        )
    record_network(run, network, dataset)
    reason = fitreel.training.why_nothing_learned(network.weights(), dataset, history.losses)
    record_standstill(run, reason)
    if watch:
        watch.show_end(history)
    return network.weights(), history


def fit(
    run: "Run",
    dataset: "Dataset",
    training: TrainingSettings,
    checkpoints: CheckpointSettings,
    watch: "LiveHook | None",
) -> "Fit":
    """Train from the last checkpoint; show the progress and take new checkpoints."""
    kept = run.checkpoints(training, checkpoints.checkpoint_every)
    at = 0
    with kept.keeping(), progress("train", training.epochs) as show:

        def on_epoch(epoch: int, loss: float, under_way: "Training") -> None:
            nonlocal at
            at = epoch
            # First: a training that is stopped, or whose terminal is closed, keeps its checkpoint.
            kept.on_epoch(epoch, under_way)
            show(epoch + 1)
            if watch:
                watch(epoch, loss, under_way)

        try:
            return fitreel.training.fit(dataset, training, on_epoch, kept.start())
        except (KeyboardInterrupt, SystemExit) as error:
            error.add_note(f"at epoch {at:,} of {training.epochs:,}")  # for the session's last line
            if watch:
                watch.view.resume = f"fitreel resume {run.run_id}"
            raise


def record_provenance(run: "Run") -> None:
    """Log what decides the last bits; warn if it changed before a resumed training."""
    now, started = fitreel.training.read_provenance(), run.provenance()
    changed = {key: text for key, text in now.items() if started.get(key, text) != text}
    if changed:
        names = ", ".join(changed)
        console.warn(f"{names} changed since the training started: the last bits may differ")
    elif started:
        return
    with run.artifacts(TRAINING) as folder:
        # What the training started with stays known.
        fitreel.training.save_provenance(now | started, changed, folder / PROVENANCE_FILE)


def record_history(run: "Run", history: "History") -> None:
    """Log the losses and the weights of every frame as files."""
    with run.artifacts(TRAINING) as folder:
        fitreel.training.save_losses(history.losses, folder / HISTORY_FILE)
        fitreel.training.save_frames(history, folder / FRAMES_FILE)


def record_standstill(run: "Run", reason: str) -> None:
    """Log why the network learned nothing, and warn, if there is a reason."""
    if reason:
        run.set_tags({NOTHING_LEARNED_TAG: reason})
        console.warn(f"the network learned nothing: {reason}")


def record_network(run: "Run", network: "Network", dataset: "Dataset") -> None:
    """Log the structure, the final weights and the model; print structure and weights."""
    weights = network.weights()
    for line in str(network).splitlines():
        console.say(line)
    console.show_weights(weights)
    with run.artifacts() as folder:
        (folder / NETWORK).write_text(f"{network}\n", encoding="utf-8")
        fitreel.training.save_weight_table(weights, folder / WEIGHT_TABLE, dataset.features)
        fitreel.training.save_weights(weights, folder / WEIGHTS, dataset)
        run.log_model(folder / WEIGHTS)
