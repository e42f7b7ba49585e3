"""Checkpoints: a training that stops at any epoch resumes and ends with the same numbers."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from fitreel.data.dataset import Dataset
from fitreel.journal import checkpoints
from fitreel.journal.checkpoints import SAFE_GAP, Checkpoints, unpack
from fitreel.journal.journal import Journal
from fitreel.journal.records import Record
from fitreel.settings import OptimizerName, TrainingSettings
from fitreel.training.loop import Fit, fit
from fitreel.training.network import Network
from fitreel.training.state import Training


class Stop(Exception):
    """Stop a training that would have continued."""


def train(
    journal: Journal, dataset: Dataset, settings: TrainingSettings, stop_at: int | None = None
) -> Fit:
    kept = Checkpoints(journal, settings, every=10)

    def on_epoch(epoch: int, _: float, training: Training) -> None:
        kept.on_epoch(epoch, training)
        if epoch == stop_at:
            raise Stop

    with kept.keeping():
        return fit(dataset, settings, on_epoch, kept.start())


def losses(journal: Journal) -> list[float]:
    """Return the losses in the journal; assert that each record starts where the last one ended."""
    found: list[float] = []
    for _, record in journal.records():
        if record["kind"] == "losses":
            assert record["first"] == len(found)
            found += unpack(record["numbers"]).tolist()
            assert record["count"] == len(found) - record["first"]
    return found


def same(one: Fit, other: Fit) -> bool:
    mine, theirs = one.history, other.history
    return (
        mine.losses.tobytes() == theirs.losses.tobytes()
        and mine.trained_loss == theirs.trained_loss
        and all(
            torch.equal(getattr(mine.frames, name), getattr(theirs.frames, name))
            for name in ("input_weight", "bias", "output_weight", "output_bias")
        )
        and torch.equal(one.network.weights().bias, other.network.weights().bias)
    )


@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
@pytest.mark.parametrize("frame_every", [1, 7, 500])
def test_a_training_stopped_anywhere_ends_the_same(
    tmp_path: Path, dataset: Dataset, optimizer: OptimizerName, frame_every: int
) -> None:
    settings = TrainingSettings(optimizer=optimizer, lr=0.05, epochs=60, frame_every=frame_every)
    whole = fit(dataset, settings)
    journal = Journal(tmp_path, create=True)
    for stop_at in (0, 3, 10, 11, 35, 59):
        with pytest.raises(Stop):
            train(journal, dataset, settings, stop_at)
        assert len(losses(journal)) == stop_at
    assert same(train(journal, dataset, settings), whole)
    assert losses(journal) == whole.history.losses.tolist()


@pytest.mark.parametrize(
    "lose",
    [
        lambda directory: (directory / "checkpoint").unlink(),
        lambda directory: (directory / "checkpoint").write_bytes(b"0badc0de {}\n"),
        lambda directory: (directory / "journal").write_bytes(b""),
    ],
    ids=["no checkpoint", "a damaged checkpoint", "a checkpoint ahead of the journal"],
)
def test_without_a_good_checkpoint_training_restarts_and_logs_nothing_twice(
    tmp_path: Path, dataset: Dataset, lose: Callable[[Path], None]
) -> None:
    settings = TrainingSettings(epochs=60)
    journal = Journal(tmp_path, create=True)
    with pytest.raises(Stop):
        train(journal, dataset, settings, stop_at=45)
    journal.close()
    lose(tmp_path)
    journal = Journal(tmp_path, create=True)
    assert Checkpoints(journal, settings, 10).start() is None
    assert same(train(journal, dataset, settings), fit(dataset, settings))
    assert losses(journal) == fit(dataset, settings).history.losses.tolist()


@pytest.mark.parametrize("stop_at", [40, 45])
def test_training_resumes_from_the_last_checkpoint(
    tmp_path: Path, dataset: Dataset, stop_at: int
) -> None:
    journal, settings = Journal(tmp_path, create=True), TrainingSettings(epochs=60)
    with pytest.raises(Stop):
        train(journal, dataset, settings, stop_at)
    start = Checkpoints(journal, settings, 10).start()
    assert start is not None
    assert start.epoch == 40


@pytest.mark.parametrize("damage", [b"", b"0badc0de {}\n", None], ids=["empty", "damaged", "gone"])
def test_a_durable_checkpoint_is_used_if_a_power_cut_took_the_last(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    """One is written when the last is old enough; here that is when epoch 20 is reached."""
    journal, settings = Journal(tmp_path, create=True), TrainingSettings(epochs=60)
    hours = iter([0.0] * 3 + [SAFE_GAP + 1.0] * 1000)
    monkeypatch.setattr(time, "monotonic", lambda: next(hours))
    with pytest.raises(Stop):
        train(journal, dataset, settings, stop_at=45)
    assert journal.kept("checkpoint") != journal.kept("safe")
    if damage is None:
        (tmp_path / "checkpoint").unlink()
    else:
        (tmp_path / "checkpoint").write_bytes(damage)
    start = Checkpoints(journal, settings, 10).start()
    assert start is not None
    assert 0 < start.epoch < 40
    assert same(train(journal, dataset, settings), fit(dataset, settings))
    assert losses(journal) == fit(dataset, settings).history.losses.tolist()


def test_the_later_of_two_checkpoints_is_used(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the durable one waits for the disk."""
    journal, settings = Journal(tmp_path, create=True), TrainingSettings(epochs=60)
    monkeypatch.setattr(checkpoints, "SAFE_GAP", -1)
    waits: list[tuple[str, bool]] = []
    keep = Journal.keep

    def keep_and_note(self: Journal, name: str, record: Record, *, durable: bool = False) -> None:
        keep(self, name, record, durable=durable)
        waits.append((name, durable))
        if durable:
            monkeypatch.setattr(checkpoints, "SAFE_GAP", 1000)

    monkeypatch.setattr(Journal, "keep", keep_and_note)
    with pytest.raises(Stop):
        train(journal, dataset, settings, stop_at=25)
    assert waits == [("checkpoint", False), ("safe", True), ("checkpoint", False)]
    for name, other in (("checkpoint", "safe"), ("safe", "checkpoint")):
        start = Checkpoints(journal, settings, 10).start()
        assert start is not None
        assert start.epoch == 20
        (tmp_path / name).rename(tmp_path / "third")
        (tmp_path / other).rename(tmp_path / name)
        (tmp_path / "third").rename(tmp_path / other)


@pytest.mark.parametrize("kind", ["frames", "losses"])
def test_a_signal_between_a_record_and_its_count_doubles_nothing(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    journal, settings = Journal(tmp_path, create=True), TrainingSettings(epochs=30)
    append = Journal.append

    def append_and_stop(self: Journal, what: str, **fields: object) -> None:
        append(self, what, **fields)
        if what == kind:
            monkeypatch.undo()
            raise Stop

    monkeypatch.setattr(Journal, "append", append_and_stop)
    with pytest.raises(Stop):
        train(journal, dataset, settings)
    assert same(train(journal, dataset, settings), fit(dataset, settings))
    assert losses(journal) == fit(dataset, settings).history.losses.tolist()


def test_the_journal_has_the_frames_and_the_state_as_flat_networks(
    tmp_path: Path, dataset: Dataset
) -> None:
    """The first frame precedes the first update, as in journals of earlier versions."""
    journal, settings = Journal(tmp_path, create=True), TrainingSettings(epochs=60, hidden=3)
    with pytest.raises(Stop):
        train(journal, dataset, settings, stop_at=45)
    flat = torch.cat([each.detach().flatten() for each in Network(settings).parameters()])
    (first, *_) = [each for _, each in journal.records() if each["kind"] == "frames"]
    assert unpack(first["numbers"]).reshape(first["count"], -1)[0].tolist() == flat.tolist()
    start = Checkpoints(journal, settings, 10).start()
    assert start is not None
    there = fit(dataset, replace(settings, epochs=start.epoch)).network.weights()
    assert start.state.tolist() == there.flat().tolist()  # sgd has no further state


def test_the_journal_has_all_losses_before_a_checkpoint_is_written(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, keep = Journal(tmp_path, create=True), Journal.keep
    epochs = []

    def keep_and_check(self: Journal, name: str, record: Record) -> None:
        keep(self, name, record)
        epochs.append(record["epoch"])
        assert len(losses(self)) >= record["epoch"]

    monkeypatch.setattr(Journal, "keep", keep_and_check)
    train(journal, dataset, TrainingSettings(epochs=35))
    assert epochs == [10, 20, 30]


def test_the_last_loss_that_was_written_is_reported(tmp_path: Path, dataset: Dataset) -> None:
    journal, found = Journal(tmp_path, create=True), list[float]()
    settings = TrainingSettings(epochs=35)
    kept = Checkpoints(journal, settings, every=10, on_loss=found.append)
    with kept.keeping():
        fit(dataset, settings, lambda epoch, _, training: kept.on_epoch(epoch, training))
    assert found == [losses(journal)[epoch - 1] for epoch in (10, 20, 30, 35)]


def test_a_checkpoint_of_another_training_is_reported(tmp_path: Path, dataset: Dataset) -> None:
    journal = Journal(tmp_path, create=True)
    with pytest.raises(Stop):
        train(journal, dataset, TrainingSettings(epochs=60), stop_at=45)
    with pytest.raises(ValueError, match="the checkpoint of epoch 40 belongs to another training"):
        train(journal, dataset, TrainingSettings(epochs=60, optimizer="adam"))


def test_slow_epochs_are_checkpointed_by_the_clock(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint is written once the last one is 10 seconds old."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    journal = Journal(tmp_path, create=True)
    settings = TrainingSettings(epochs=12)
    kept = Checkpoints(journal, settings, every=1000)
    found = []

    def on_epoch(epoch: int, _: float, training: Training) -> None:
        nonlocal now
        kept.on_epoch(epoch, training)
        found.append((journal.kept("checkpoint") or {"epoch": None})["epoch"])
        now += 4

    with kept.keeping():
        fit(dataset, settings, on_epoch)
    assert found == [None] * 3 + [3] * 3 + [6] * 3 + [9] * 3


def test_times_never_go_back_even_if_the_clock_does(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, create=True)
    settings = TrainingSettings(epochs=30)
    with pytest.raises(Stop):
        train(journal, dataset, settings, stop_at=15)
    monkeypatch.setattr(checkpoints, "now", lambda: 1_000)
    train(journal, dataset, settings)
    spans = [
        (record["start"], record["end"])
        for _, record in journal.records()
        if record["kind"] == "losses"
    ]
    flat = [time for span in spans for time in span]
    assert flat == sorted(flat)
