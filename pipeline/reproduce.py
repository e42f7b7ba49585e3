"""reproduce: run an old run's settings again and compare every loss."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import typer

import fitreel
from fitreel import TrainingSettings
from pipeline import console
from pipeline.options import Past

if TYPE_CHECKING:
    from fitreel.dataset import Dataset
    from fitreel.tracking import Source

SHOWN = 16  # digits of a hash


class Outcome(NamedTuple):
    """What a training came to: its losses, and the epoch at which it diverged, or never."""

    losses: list[float]
    diverged: str


class Difference(NamedTuple):
    """What a run recorded, and what is found now."""

    name: str
    recorded: str
    now: str


def reproduce(past: Past) -> None:
    """Train an old run anew: prove that its losses are identical, or tell what differs.

    The run stays as it is.

    Example: fitreel reproduce RUN
    """
    source = fitreel.Tracker(past.tracking_uri or None).source(past.run)
    settings, then = source.training_settings(), recorded_outcome(source)
    points = source.artifact("data/dataset.csv", "generate")
    wrong = differences_in_points(source, points)
    now = train(fitreel.load_dataset(points), settings)
    wrong += differences_in_outcome(source, then, now)
    circumstances = differences_in_provenance(source)
    if wrong or circumstances:
        console.show_differences(wrong + circumstances)
    epoch = fitreel.first_difference(then.losses, now.losses)
    if epoch is None and not wrong:
        although = f", although {_names(circumstances)}" if circumstances else ""
        console.say(f"identical: {len(now.losses)} losses, bit for bit{although}")
        return
    if epoch is None:
        console.say(f"{len(now.losses)} losses are identical, bit for bit, but {_names(wrong)}")
    else:
        losses = f"{_loss(then, epoch)} then, {_loss(now, epoch)} now"
        console.say(f"epoch {epoch} is the first that differs: {losses}")
        console.say(_reason(source, wrong + circumstances))
    raise typer.Exit(1)


def recorded_outcome(source: "Source") -> Outcome:
    """Read what the training came to then; ValueError if there was none, or not to its end."""
    diverged = source.tags.get("fitreel.diverged_epoch", "never")
    if diverged == "0":
        return Outcome([], diverged)
    if not source.has_training:
        raise ValueError(f"run {source.run_id} has no training to reproduce")
    try:
        history = source.artifact("training/history.csv", "train")
    except FileNotFoundError:
        raise ValueError(
            f"run {source.run_id} has no training/history.csv: its training was interrupted"
        ) from None
    return Outcome(fitreel.load_losses(history).tolist(), diverged)


def train(dataset: "Dataset", settings: TrainingSettings) -> Outcome:
    """Train, and keep nothing but the losses."""
    with console.progress("train", settings.epochs) as progress:
        try:
            fit = fitreel.fit(dataset, settings, lambda epoch, *_: progress(epoch + 1))
        except fitreel.TrainingDiverged as error:
            losses = error.history.losses.tolist() if error.history else []
            return Outcome(losses, str(error.epoch))
    return Outcome(fit.history.losses.tolist(), "never")


def differences_in_points(source: "Source", points: Path) -> list[Difference]:
    """Compare the recorded hash with the stored points, and with those its settings draw now."""
    recorded = source.tags.get("fitreel.dataset_sha256", "")
    found = {"data hash (stored points)": fitreel.sha256(points)}
    if data := source.data_settings():
        with TemporaryDirectory(prefix="fitreel-") as folder:
            file = Path(folder, "dataset.csv")
            fitreel.save_dataset(fitreel.generate(data), file)
            found["data hash (points drawn anew)"] = fitreel.sha256(file)
    return [
        Difference(name, recorded[:SHOWN], digest[:SHOWN])
        for name, digest in found.items()
        if recorded and digest != recorded
    ]


def differences_in_outcome(source: "Source", then: Outcome, now: Outcome) -> list[Difference]:
    """Compare the end of the training, and the metric that the store keeps of its losses."""
    differences = []
    if then.diverged != now.diverged:
        differences.append(Difference("diverged at epoch", then.diverged, now.diverged))
    metric = Outcome(source.losses(), then.diverged)
    epoch = fitreel.first_difference(metric.losses, now.losses)
    if epoch is not None:
        name = f"metric loss, epoch {epoch}"
        differences.append(Difference(name, _loss(metric, epoch), _loss(now, epoch)))
    return differences


def differences_in_provenance(source: "Source") -> list[Difference]:
    """Compare versions, threads, processor and code, as far as both sides know them."""
    differences = []
    for key, now in fitreel.read_provenance().items():
        recorded = source.tags.get(f"fitreel.{key}", now)
        if recorded != now:
            shown = SHOWN if key in ("code_sha256", "commit") else None
            differences.append(Difference(key.replace("_", " "), recorded[:shown], now[:shown]))
    return differences


def _loss(outcome: Outcome, epoch: int) -> str:
    return f"{outcome.losses[epoch]:.9g}" if epoch < len(outcome.losses) else "none"


def _names(differences: Sequence[Difference]) -> str:
    *others, last = [each.name for each in differences]
    return f"{', '.join(others)} and {last} differ" if others else f"{last} differs"


def _reason(source: "Source", differences: Sequence[Difference]) -> str:
    if differences:
        return _names(differences)
    if "fitreel.torch" in source.tags:
        return "nothing recorded differs"
    return "the run does not tell what it was trained with"
