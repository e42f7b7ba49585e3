"""reproduce: train with the settings of an old run again and compare every loss."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

import fitreel.data
import fitreel.tracking
import fitreel.training
from fitreel.checks.files import sha256
from fitreel.journal.spool import scratch
from fitreel.settings import TrainingSettings
from fitreel.tracking.names import DIVERGED_TAG, HISTORY, SHA256_TAG
from pipeline.shared import console
from pipeline.shared.options import JSON, RUN, TRACKING_URI
from pipeline.shared.progress import progress
from pipeline.shared.result import print_json

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.tracking import Source

LABELS = {"code_sha256": "code", "uncommitted": "uncommitted code", "threads": "thread count"}
HASHES = ("code_sha256", "commit")
SHOWN = 16  # digits of a hash
NEVER = "never"


class Difference(NamedTuple):
    """A value that a run recorded, and the present one."""

    name: str
    recorded: str
    now: str


class FirstDifference(NamedTuple):
    """The first epoch at which a record of the losses differs from the losses of today."""

    epoch: int
    record: str
    then: str
    now: str

    @property
    def row(self) -> Difference:
        """The row of the table."""
        return Difference(f"{self.record}, epoch {self.epoch}", self.then, self.now)

    def text(self, where: str) -> str:
        """Return the sentence about it."""
        values = f"{self.then} then, {self.now} now"
        return f"epoch {self.epoch} is the first that differs{where}: {values}"


def reproduce(
    run: RUN,
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Train an old run again: show that its losses are identical, or what differs.

    The run is not changed.

    Example: fitreel reproduce RUN
    """
    source = fitreel.tracking.Tracker(tracking_uri or None, may_create=False).source(run)
    settings = trained_with(source)
    recorded = recorded_losses(source)
    dataset, results = source.dataset(), list[Difference]()
    if not source.has_table:  # rows of a table that changed were refused already
        with source.points() as points:
            results = differences_in_points(source, points)
    losses, diverged = train(dataset, settings)
    then = source.tags.get(DIVERGED_TAG, NEVER)
    if then != diverged:
        results.append(Difference("epoch of divergence", then, diverged))
    provenance = source.provenance()
    circumstances = differences_in_provenance(provenance)
    firsts = first_differences(recorded, losses)
    if rows := [*(each.row for each in firsts), *results, *circumstances]:
        console.show_differences(rows)
    is_identical = not firsts and not results
    if is_identical:
        verdict = identical(losses, diverged, circumstances)
    elif firsts:
        where = "" if len(firsts) == len(recorded) else f" in {firsts[0].record}, and only there"
        reason = _names([*results, *circumstances]) or _nothing(provenance)
        verdict = f"{firsts[0].text(where)}; {reason}"
    else:
        verdict = f"{len(losses)} losses are identical, bit for bit, but {_names(results)}"
    console.say(verdict)
    if as_json:
        different = [each._asdict() for each in rows]
        found = {"identical": is_identical, "verdict": verdict, "differences": different}
        print_json({"run_id": source.run_id, "losses": len(losses)} | found)
    if not is_identical:
        raise typer.Exit(1)


def identical(losses: list[float], diverged: str, circumstances: Sequence[Difference]) -> str:
    """Return the verdict on a run whose losses came out the same."""
    end = "" if diverged == NEVER else f", and it diverges at epoch {diverged} again"
    although = f", although {_names(circumstances)}" if circumstances else ""
    return f"identical: {len(losses)} losses, bit for bit{end}{although}"


def trained_with(source: "Source") -> TrainingSettings:
    """Return the settings of a run's training; ValueError if it cannot be reproduced."""
    source.check_has_network()
    if source.is_trial:
        raise ValueError(
            f"run {source.run_id} is a trial of a sweep: it was trained in a stack, so its "
            "losses equal those of a single training within 0.0001, not to the last bit"
        )
    if not source.has_training and DIVERGED_TAG not in source.tags:
        raise ValueError(f"run {source.run_id} has no training to reproduce")
    if (settings := source.training_settings()) is None:
        raise ValueError(f"run {source.run_id} does not record how it was trained")
    return settings


def recorded_losses(source: "Source") -> dict[str, list[float]]:
    """Return the losses as each record of the run has them; ValueError if it was interrupted."""
    if not source.has_training:
        return {HISTORY: []}  # it diverged at once, without a finite loss
    try:
        # Not source.history(): it refuses losses that were edited, which are looked for here.
        history = source.stored_losses()
    except FileNotFoundError:
        raise ValueError(
            f"run {source.run_id} has no {HISTORY}: its training was interrupted"
        ) from None
    # Both records: anybody can edit one of them, and the other shows it.
    return {HISTORY: history, "metric loss": source.losses()}


def train(dataset: "Dataset", settings: TrainingSettings) -> tuple[list[float], str]:
    """Train, and return the losses and the epoch at which the training diverged, or "never"."""
    with progress("train", settings.epochs) as show:
        try:
            fit = fitreel.training.fit(dataset, settings, lambda epoch, *_: show(epoch + 1))
        except fitreel.training.TrainingDiverged as error:
            return error.history.losses.tolist() if error.history else [], str(error.epoch)
    return fit.history.losses.tolist(), NEVER


def first_differences(
    recorded: dict[str, list[float]], losses: list[float]
) -> list[FirstDifference]:
    """Return where each record differs from the losses of today, the earliest epoch first."""
    found = []
    for record, kept in recorded.items():
        epoch = fitreel.training.first_difference(kept, losses)
        if epoch is not None:
            found.append(FirstDifference(epoch, record, _loss(kept, epoch), _loss(losses, epoch)))
    return sorted(found, key=lambda each: each.epoch)


def differences_in_points(source: "Source", points: Path) -> list[Difference]:
    """Compare the recorded hash with the stored points and with those that the settings draw."""
    recorded = source.tags.get(SHA256_TAG, "")
    found = {"data hash, as stored": sha256(points)}
    if data := source.data_settings():
        with scratch() as folder:
            file = folder / "dataset.csv"
            fitreel.data.save_dataset(fitreel.data.generate(data), file)
            found["data hash, as drawn again"] = sha256(file)
    return [
        Difference(name, recorded[:SHOWN], digest[:SHOWN])
        for name, digest in found.items()
        if recorded and digest != recorded
    ]


def differences_in_provenance(found: dict[str, str]) -> list[Difference]:
    """Compare code, versions, threads and processor, as far as both are known."""
    differences = []
    for key, now in fitreel.training.read_provenance().items():
        # What an older version did not record is not a difference.
        recorded = found.get(key, now)
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


def _nothing(provenance: dict[str, str]) -> str:
    if provenance:
        return "nothing else that is recorded differs"
    return "the run does not record what it was trained with"
