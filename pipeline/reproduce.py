"""reproduce: run an old run's settings again and compare every loss."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

import fitreel.data
import fitreel.tracking
import fitreel.training
from fitreel.journal.spool import scratch
from fitreel.settings import TrainingSettings
from pipeline.shared import console
from pipeline.shared.options import RUN, TRACKING_URI

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.tracking import Source

HISTORY = "training/history.csv"
LABELS = {"code_sha256": "code", "uncommitted": "uncommitted code", "threads": "thread count"}
HASHES = ("code_sha256", "commit")
SHOWN = 16  # digits of a hash
NEVER = "never"


class Difference(NamedTuple):
    """What a run recorded, and what is found now."""

    name: str
    recorded: str
    now: str


def reproduce(
    run: RUN,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Train an old run anew: prove that its losses are identical, or tell what differs.

    The run stays as it is.

    Example: fitreel reproduce RUN
    """
    source = fitreel.tracking.Tracker(tracking_uri or None, may_create=False).source(run)
    settings = trained_with(source)
    then = source.tags.get("fitreel.diverged_epoch", NEVER)
    records = recorded_losses(source)
    with source.points() as points:
        results = differences_in_points(source, points)
        dataset = fitreel.data.load_dataset(points)
    losses, diverged = train(dataset, settings)
    if then != diverged:
        results.append(Difference("epoch of divergence", then, diverged))
    circumstances = differences_in_provenance(source)
    firsts = {
        name: epoch
        for name, kept in records.items()
        if (epoch := fitreel.training.first_difference(kept, losses)) is not None
    }
    rows = [
        Difference(f"{name}, epoch {epoch}", _loss(records[name], epoch), _loss(losses, epoch))
        for name, epoch in firsts.items()
    ]
    if rows or results or circumstances:
        console.show_differences([*rows, *results, *circumstances])
    if not firsts and not results:
        end = "" if diverged == NEVER else f", and it diverges at epoch {diverged} again"
        although = f", although {_names(circumstances)}" if circumstances else ""
        console.say(f"identical: {len(losses)} losses, bit for bit{end}{although}")
        return
    if firsts:
        name = min(firsts, key=lambda each: firsts[each])
        epoch = firsts[name]
        where = "" if len(firsts) == len(records) else f" in {name}, and there alone"
        values = f"{_loss(records[name], epoch)} then, {_loss(losses, epoch)} now"
        reason = _names([*results, *circumstances]) or _nothing(source)
        console.say(f"epoch {epoch} is the first that differs{where}: {values}; {reason}")
    else:
        console.say(f"{len(losses)} losses are identical, bit for bit, but {_names(results)}")
    raise typer.Exit(1)


def trained_with(source: "Source") -> TrainingSettings:
    """Say how a run was trained; ValueError where that cannot be reproduced."""
    if source.is_trial:
        raise ValueError(
            f"run {source.run_id} is a trial of a sweep: trained in a round, its losses are those "
            "of a training alone within 0.0001, not to the last bit; there is nothing to reproduce"
        )
    if not source.has_training and "fitreel.diverged_epoch" not in source.tags:
        raise ValueError(f"run {source.run_id} has no training to reproduce")
    if (settings := source.training_settings()) is None:
        raise ValueError(f"run {source.run_id} does not tell how it was trained")
    return settings


def recorded_losses(source: "Source") -> dict[str, list[float]]:
    """Read the losses from where a run keeps them; ValueError if its training has no end."""
    if not source.has_training:
        return {HISTORY: []}  # diverged at once: there was no loss to keep
    try:
        history = source.stored_losses()
    except FileNotFoundError:
        raise ValueError(
            f"run {source.run_id} has no {HISTORY}: its training was interrupted"
        ) from None
    return {HISTORY: history, "metric loss": source.losses()}


def train(dataset: "Dataset", settings: TrainingSettings) -> tuple[list[float], str]:
    """Train; give the losses and the epoch at which it diverged."""
    with console.progress("train", settings.epochs) as progress:
        try:
            fit = fitreel.training.fit(dataset, settings, lambda epoch, *_: progress(epoch + 1))
        except fitreel.training.TrainingDiverged as error:
            return error.history.losses.tolist() if error.history else [], str(error.epoch)
    return fit.history.losses.tolist(), NEVER


def differences_in_points(source: "Source", points: Path) -> list[Difference]:
    """Compare the recorded hash with the stored points, and with those its settings draw now."""
    recorded = source.tags.get("fitreel.dataset_sha256", "")
    found = {"data hash, as stored": fitreel.data.sha256(points)}
    if data := source.data_settings():
        with scratch() as folder:
            file = folder / "dataset.csv"
            fitreel.data.save_dataset(fitreel.data.generate(data), file)
            found["data hash, as drawn anew"] = fitreel.data.sha256(file)
    return [
        Difference(name, recorded[:SHOWN], digest[:SHOWN])
        for name, digest in found.items()
        if recorded and digest != recorded
    ]


def differences_in_provenance(source: "Source") -> list[Difference]:
    """Compare code, versions, threads and processor, as far as both sides know them."""
    differences = []
    for key, now in fitreel.training.read_provenance().items():
        recorded = source.tags.get(f"fitreel.{key}", now)
        if recorded != now:
            name, shown = LABELS.get(key, key.replace("_", " ")), SHOWN if key in HASHES else None
            differences.append(Difference(name, recorded[:shown], now[:shown]))
    return differences


def _loss(losses: list[float], epoch: int) -> str:
    return f"{losses[epoch]:.9g}" if epoch < len(losses) else "none"


def _names(differences: Sequence[Difference]) -> str:
    *others, last = [each.name for each in differences] or [""]
    if others:
        return f"{', '.join(others)} and {last} differ"
    return f"{last} differs" if last else ""


def _nothing(source: "Source") -> str:
    if "fitreel.torch" in source.tags:
        return "nothing else that is recorded differs"
    return "the run does not tell what it was trained with"
