"""train: fit the network to the points of a run."""

from typing import TYPE_CHECKING

import fitreel
from fitreel import LiveSettings, TrainingSettings
from pipeline import console
from pipeline.generate import record as record_dataset
from pipeline.options import Target
from pipeline.session import connect, open_run

if TYPE_CHECKING:
    from fitreel.dataset import Dataset
    from fitreel.history import History
    from fitreel.live import LiveWindow
    from fitreel.network import Network
    from fitreel.tracking import Run
    from fitreel.training import Fit


def train(training: TrainingSettings, live: LiveSettings, target: Target) -> None:
    """Train the network on a run's points; log every loss, the weights and the model.

    Example: fitreel train --run RUN --lr 0.05
    """
    tracker = connect(target)
    source = tracker.source(target.run)
    dataset, data = source.dataset(), source.data_settings()
    if tracker.writes_to(source) and source.has_training:
        raise ValueError(
            f"run {source.run_id} is trained already; "
            "train anew with fitreel run, or into a new run with mlflow run . -e train -P run=…"
        )
    window = open_window(live)
    with open_run(tracker, target, source) as run:
        if not tracker.writes_to(source):
            record_dataset(run, dataset, data)
        run.set_name(training.label if data is None else data.prefix + training.label)
        stage(run, dataset, training, live, window)


def open_window(live: LiveSettings) -> "LiveWindow | None":
    """Open the live window if it is wanted; OSError where there is no display."""
    return fitreel.LiveWindow() if live.live == "on" else None


def stage(
    run: "Run",
    dataset: "Dataset",
    training: TrainingSettings,
    live: LiveSettings,
    window: "LiveWindow | None",
) -> "Fit":
    """Train and log what comes out; a training that diverges is logged up to there."""
    with run.stage("train"):
        run.log_settings(training)
        run.set_tags({f"fitreel.{key}": text for key, text in fitreel.read_provenance().items()})
        run.log_settings(live)
        watch = window.watch(dataset, training.frame_every) if window else None
        with run.losses() as losses, console.progress("train", training.epochs) as progress:

            def on_epoch(epoch: int, loss: float, network: "Network") -> None:
                losses.add(epoch, loss)
                progress(epoch + 1)
                if watch:
                    watch(epoch, loss, network)

            try:
                network, history = fitreel.fit(dataset, training, on_epoch)
            except fitreel.TrainingDiverged as error:
                run.set_tags({"fitreel.diverged_epoch": str(error.epoch)})
                if error.history:
                    record_history(run, error.history)
                raise
        record_history(run, history)
        record_network(run, network)
    if window:
        window.close()
    return fitreel.Fit(network, history)


def record_history(run: "Run", history: "History") -> None:
    """Log the losses and the weights of every frame as files."""
    with run.artifacts("training") as folder:
        fitreel.save_losses(history.losses, folder / "history.csv")
        fitreel.save_frames(history, folder / "frames.safetensors")


def record_network(run: "Run", network: "Network") -> None:
    """Log structure, final weights and model; show structure and weights on the terminal."""
    weights = network.weights()
    console.say(str(network))
    console.show_weights(weights)
    with run.artifacts() as folder:
        (folder / "network.txt").write_text(f"{network}\n", encoding="utf-8")
        fitreel.save_weight_table(weights, folder / "weights.csv")
        fitreel.save_weights(weights, folder / "weights.safetensors")
        run.log_model(folder / "weights.safetensors")
