"""train: fit the network to the points of a run."""

from typing import TYPE_CHECKING

import fitreel.pictures
import fitreel.training
from fitreel.settings import CheckpointSettings, LiveSettings, TrainingSettings
from pipeline import generate
from pipeline.shared import console
from pipeline.shared.note import NOTHING_LEARNED
from pipeline.shared.session import Session

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.pictures.live import LiveWindow
    from fitreel.tracking import Run
    from fitreel.training.history import History
    from fitreel.training.network import Network
    from fitreel.training.state import Training
    from fitreel.training.weights import Weights

FILES = (
    *("training/history.csv", "training/frames.safetensors"),
    *("network.txt", "weights.csv", "weights.safetensors"),
)


def train(
    training: TrainingSettings,
    checkpoints: CheckpointSettings,
    live: LiveSettings,
    session: Session,
) -> None:
    """Train the network on a run's points; log every loss, the weights and the model.

    Example: fitreel train --run RUN --lr 0.05
    """
    fitreel.training.check_frames(training)
    source = session.source()
    dataset, data = source.dataset(), source.data_settings()
    into = session.into(source) or source
    if session.is_new and (into.has_training or into.has_model):
        raise ValueError(
            f"run {into.run_id} is trained already; if that was interrupted, fitreel resume goes "
            "on; train anew with fitreel run, or into a new run with mlflow run . -e train -P run=…"
        )
    if not session.is_new and into.has_training and into.has_changed_points:
        raise ValueError(
            f"the points of run {into.run_id} changed since its training began: restore them, or "
            f"train on them as a new run: mlflow run . -e train -P run={into.run_id}"
        )
    if session.is_new and into is not source and into.has_dataset:
        raise ValueError(f"run {into.run_id} has its points already; train on them, without --run")
    session.check_free(source, "train", FILES)
    if into is not source:
        session.check_free(source, "generate", generate.FILES)
    if source.has_changed_points:
        console.warn(
            f"the points of run {source.run_id} changed since they were drawn: the settings that "
            "drew them do not hold, so no fresh points will be drawn and there is no noise floor"
        )
    window = open_window(live)
    with session.run(source) as run:
        if not session.writes_to(source):
            generate.record(run, dataset, data)
        elif source.has_changed_points:
            generate.record_changed(run, source, "training")
        run.set_name(training.label if data is None else data.prefix + training.label)
        stage(run, dataset, training, checkpoints, live, window)


def open_window(live: LiveSettings) -> "LiveWindow | None":
    """Open the live window if it is wanted; OSError where there is no display."""
    return fitreel.pictures.LiveWindow() if live.live == "on" else None


def stage(
    run: "Run",
    dataset: "Dataset",
    training: TrainingSettings,
    checkpoints: CheckpointSettings,
    live: LiveSettings,
    window: "LiveWindow | None",
) -> "tuple[Weights, History]":
    """Train and log what comes out; a training that diverges is logged up to there."""
    if run.has_done("train"):
        return run.weights(), run.history()
    with run.stage("train"):
        for settings in (training, checkpoints, live):
            run.log_settings(settings)
        record_provenance(run)
        watch = window.watch(dataset, training.frame_every) if window else None
        kept = run.checkpoints(training, checkpoints.checkpoint_every)
        with kept.keeping(), console.progress("train", training.epochs) as progress:

            def on_epoch(epoch: int, loss: float, under_way: "Training") -> None:
                kept.on_epoch(epoch, under_way)
                progress(epoch + 1)
                if watch:
                    watch(epoch, loss, under_way)

            try:
                network, history = fitreel.training.fit(dataset, training, on_epoch, kept.start())
            except fitreel.training.TrainingDiverged as error:
                run.set_tags({"fitreel.diverged_epoch": str(error.epoch)})
                if error.history:
                    record_history(run, error.history)
                raise
        record_history(run, history)
        record_network(run, network)
        reason = fitreel.training.why_nothing_learned(network.weights(), dataset, history.losses)
        record_standstill(run, reason)
    if window:
        window.close()
    return network.weights(), history


def record_provenance(run: "Run") -> None:
    """Log what decides the last bits; warn if a resumed training goes on with something else."""
    now = {f"fitreel.{key}": text for key, text in fitreel.training.read_provenance().items()}
    changed = {key: text for key, text in now.items() if run.tags.get(key, text) != text}
    if changed:
        console.warn(f"{', '.join(changed)} changed since the training began: last bits may differ")
        run.set_tags({f"{key}_resumed": text for key, text in changed.items()})
    run.set_tags({key: text for key, text in now.items() if key not in changed})


def record_history(run: "Run", history: "History") -> None:
    """Log the losses and the weights of every frame as files."""
    run.metrics["loss"] = float(history.losses[-1])  # for the summary; the checkpoints logged it
    with run.artifacts("training") as folder:
        fitreel.training.save_losses(history.losses, folder / "history.csv")
        fitreel.training.save_frames(history, folder / "frames.safetensors")


def record_standstill(run: "Run", reason: str) -> None:
    """Log and say why the network learned nothing, if there is a reason to say so."""
    if reason:
        run.set_tags({NOTHING_LEARNED: reason})
        console.warn(f"the network learned nothing: {reason}")


def record_network(run: "Run", network: "Network") -> None:
    """Log structure, final weights and model; show structure and weights on the terminal."""
    weights = network.weights()
    for line in str(network).splitlines():
        console.say(line)
    console.show_weights(weights)
    with run.artifacts() as folder:
        (folder / "network.txt").write_text(f"{network}\n", encoding="utf-8")
        fitreel.training.save_weight_table(weights, folder / "weights.csv")
        fitreel.training.save_weights(weights, folder / "weights.safetensors")
        run.log_model(folder / "weights.safetensors")
