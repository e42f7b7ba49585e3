"""The training on tables: several features, classes, batches, other losses, early stopping."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fitreel.data.dataset import Dataset, Rows, scaled
from fitreel.data.scaling import Scaling
from fitreel.settings import ActivationName, LossName, TrainingSettings
from fitreel.training.batches import Batches
from fitreel.training.folds import folds
from fitreel.training.loop import TrainingDiverged, fit
from fitreel.training.many import fit_many
from fitreel.training.network import Network
from fitreel.training.state import Checkpoint, Training

SETTINGS = TrainingSettings(hidden=8, optimizer="adam", lr=0.01, epochs=30, frame_every=10)


def numbers(rows: int = 60, features: int = 3) -> Dataset:
    """Return rows in units far from 0, a fifth of them for validation."""
    generator = torch.Generator().manual_seed(0)
    x = 100 + 5 * torch.randn(rows, features, generator=generator)
    y = 1000 + 20 * torch.sin(x[:, 0]) + x[:, 1]
    kept, held_out = slice(rows // 5, None), slice(rows // 5)
    return Dataset(
        x[kept],
        y[kept],
        scaling=Scaling.of(x[kept], y[kept]),
        validation=Rows(x[held_out], y[held_out]),
    )


def flowers(rows: int = 60) -> Dataset:
    """Return rows of three classes."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(rows, 2, generator=generator)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()
    return Dataset(x, y, classes=("iris", "rose", "tulip"), scaling=Scaling.of(x, y))


def test_rows_of_a_scaled_dataset_have_mean_0_and_deviation_1() -> None:
    dataset = numbers()
    for column in (*scaled(dataset, dataset)[0].T, scaled(dataset, dataset)[1]):
        assert column.mean().item() == pytest.approx(0, abs=1e-4)
        assert column.std(correction=0).item() == pytest.approx(1, abs=1e-4)
    x = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    scaling = Scaling.of(x, torch.tensor([0, 1]))
    assert scaling.input_deviation.tolist() == [1, 1]  # a constant column keeps its unit
    assert (scaling.target_mean.item(), scaling.target_deviation.item()) == (0, 1)  # of classes


ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
}


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_numbers_are_learned_as_by_the_usual_loop_in_torch(loss: LossName) -> None:
    dataset, settings = numbers(), replace(SETTINGS, loss=loss, weight_decay=0.1)
    targets = scaled(dataset, dataset)[1]
    deviation = dataset.y.double().std(correction=0).item()
    unit = deviation if loss == "mae" else deviation**2
    losses = usual_loop(dataset, settings, lambda outputs: ERRORS[loss](outputs[:, 0], targets))
    history = fit(dataset, settings).history
    assert history.losses.tolist() == pytest.approx([unit * each for each in losses], rel=1e-5)


def test_classes_are_learned_as_by_the_usual_loop_in_torch() -> None:
    dataset = flowers()
    losses = usual_loop(dataset, SETTINGS, lambda outputs: F.cross_entropy(outputs, dataset.y))
    network, history = fit(dataset, SETTINGS)
    assert history.losses.tolist() == pytest.approx(losses, rel=1e-6)
    probabilities = network.weights().predict(dataset.x)
    assert probabilities.shape == (60, 3)
    assert probabilities.sum(dim=1).tolist() == pytest.approx([1] * 60)
    likely = probabilities.gather(1, dataset.y.unsqueeze(1)).log().mean().item()
    assert -likely == pytest.approx(history.trained_loss, rel=1e-5)


def usual_loop(
    dataset: Dataset, settings: TrainingSettings, error: Callable[[Tensor], Tensor]
) -> list[float]:
    """Train by torch's own optimizer on all rows; return the losses."""
    network, losses = Network(settings, dataset), []
    optimizer = torch.optim.Adam(
        network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
    )
    for _ in range(settings.epochs):
        loss = error(network(scaled(dataset, dataset)[0]))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def test_losses_and_predictions_are_in_raw_units() -> None:
    dataset = numbers()
    network, history = fit(dataset, SETTINGS)
    error = network.weights().predict(dataset.x) - dataset.y
    assert error.square().mean().item() == pytest.approx(history.trained_loss, rel=1e-4)
    assert history.frames[0].predict(dataset.x).mean().item() == pytest.approx(1100, abs=50)


def test_every_row_is_in_one_batch_of_an_epoch() -> None:
    dataset = numbers(rows=50)  # 40 to train on
    batches = Batches(dataset, replace(SETTINGS, batch_size=16))
    first, second = batches.order(0), batches.order(1)
    assert [len(rows) for rows in first] == [16, 16, 8]
    assert sorted(torch.cat(list(first)).tolist()) == list(range(40))
    assert torch.cat(list(first)).tolist() != torch.cat(list(second)).tolist()
    assert torch.equal(torch.cat(list(first)), torch.cat(list(batches.order(0))))


def test_only_a_table_has_batches_without_being_asked() -> None:
    x = torch.linspace(0, 1, 5000)
    points, table = Dataset(x, x), Dataset(x, x, scaling=Scaling.of(x.unsqueeze(1), x))
    assert Batches(points, SETTINGS).rows == 5000
    assert Batches(table, SETTINGS).rows == 4096
    assert Batches(points, replace(SETTINGS, batch_size=100)).rows == 100
    assert Batches(numbers(), replace(SETTINGS, batch_size=100)).is_one


def test_batches_are_trained_as_by_the_usual_loop_in_torch() -> None:
    dataset, settings = numbers(), replace(SETTINGS, batch_size=16)
    inputs, targets = scaled(dataset, dataset)
    network, losses = Network(settings, dataset), []
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr)
    for epoch in range(settings.epochs):
        with torch.no_grad():  # the loss of an epoch is that on all rows before its updates
            losses.append(F.mse_loss(network(inputs)[:, 0], targets).item())
        for rows in Batches(dataset, settings).order(epoch):
            optimizer.zero_grad()
            loss = F.mse_loss(network(inputs[rows])[:, 0], targets[rows])
            loss.backward()
            optimizer.step()
    unit = dataset.y.double().var(correction=0).item()
    found = fit(dataset, settings).history.losses.tolist()
    assert found == pytest.approx([unit * each for each in losses], rel=1e-4)


@pytest.mark.parametrize("changes", [{}, {"batch_size": 16}, {"patience_epochs": 4, "lr": 0.3}])
def test_a_resumed_training_has_the_same_bits(changes: dict[str, float]) -> None:
    dataset, settings = numbers(), replace(SETTINGS, **changes)  # type: ignore[arg-type]
    whole, kept = fit(dataset, settings).history, list[Checkpoint]()

    def keep(epoch: int, _: float, training: Training) -> None:
        if epoch == min(7, len(whole.losses) - 1):
            frames = training.frames[:1].numpy().copy()
            losses = training.losses[:epoch].copy()
            kept.append(Checkpoint(epoch, losses, frames, training.state()))

    fit(dataset, settings, keep)
    resumed = fit(dataset, settings, start=kept[0]).history
    assert np.array_equal(whole.losses, resumed.losses)
    assert torch.equal(whole.frames.flat(), resumed.frames.flat())
    assert whole.trained_loss == resumed.trained_loss


def test_early_stopping_keeps_the_weights_with_the_least_validation_loss() -> None:
    dataset, settings = numbers(), replace(SETTINGS, lr=0.1, epochs=400, frame_every=1)
    assert dataset.validation is not None
    every = fit(dataset, settings).history.frames
    losses = [
        F.mse_loss(each.predict(dataset.validation.inputs), dataset.validation.y).item()
        for each in (every[epoch] for epoch in range(400))
    ]
    least, at, stop = losses[0], 0, 400
    for epoch, loss in enumerate(losses):
        if loss < least:
            least, at = loss, epoch
        elif epoch - at >= 20:
            stop = epoch
            break
    assert stop < 400
    network, history = fit(dataset, settings, patience_epochs=20)
    assert len(history.losses) == stop
    assert torch.equal(network.weights().flat(), every[at].flat())
    assert torch.equal(history.frames[-1].flat(), every[at].flat())
    assert history.frame_epochs[-1] == stop
    assert history.best_epoch == at


def test_early_stopping_needs_validation_rows() -> None:
    with pytest.raises(ValueError, match="patience_epochs needs validation rows"):
        fit(flowers(), SETTINGS, patience_epochs=5)
    with pytest.raises(ValueError, match="patience_epochs needs validation rows"):
        fit_many(flowers(), [replace(SETTINGS, patience_epochs=5)])


def test_members_of_a_stack_stop_as_each_alone() -> None:
    dataset = numbers()
    settings = [
        replace(SETTINGS, lr=lr, epochs=epochs, patience_epochs=patience)
        for lr, epochs, patience in (
            *((0.1, 400, 20), (0.1, 400, 5), (0.03, 400, 20), (0.001, 60, 50)),
            *((0.3, 70, 9), (0.01, 100, 0)),
        )
    ]
    ends = set()
    for alone, member in zip(settings, fit_many(dataset, settings, frame_every=7), strict=True):
        network, history = fit(dataset, alone, frame_every=7)
        assert member.end == "finished"
        assert len(member.losses) == len(history.losses)
        assert member.weights is not None
        assert member.history is not None
        found, expected = member.weights.predict(dataset.x), network.weights().predict(dataset.x)
        assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-3)
        assert member.history.trained_loss == pytest.approx(history.trained_loss, rel=1e-2)
        assert member.history.frame_epochs.tolist() == history.frame_epochs.tolist()
        ends.add(len(history.losses))
    assert len(ends) > 3  # they stop at epochs of their own


STACKED = [
    replace(SETTINGS, hidden=5),
    replace(SETTINGS, weight_decay=0.1),
    replace(SETTINGS, hidden=20, optimizer="momentum", loss="mae"),
    replace(SETTINGS, optimizer="sgd", loss="huber", weight_decay=0.01),
    replace(SETTINGS, hidden=3, loss="huber"),
]


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("make", [numbers, flowers])
@pytest.mark.parametrize("batch", [0, 16])
def test_a_stack_trains_tables_as_each_alone(
    make: Callable[[], Dataset], activation: ActivationName, batch: int
) -> None:
    dataset = make()
    settings = [replace(each, activation=activation, batch_size=batch) for each in STACKED]
    for alone, member in zip(settings, fit_many(dataset, settings), strict=True):
        network, history = fit(dataset, alone)
        assert member.losses.tolist() == pytest.approx(history.losses.tolist(), rel=1e-3)
        assert member.weights is not None
        expected = network.weights().predict(dataset.x).flatten().tolist()
        assert member.weights.predict(dataset.x).flatten().tolist() == pytest.approx(
            expected, rel=1e-2, abs=1e-3
        )


def test_a_training_on_a_table_that_diverges_says_so() -> None:
    with pytest.raises(TrainingDiverged, match="the loss is no longer finite"):
        fit(numbers(), replace(SETTINGS, optimizer="sgd", lr=1e4))


@pytest.mark.parametrize("make", [numbers, flowers])
@pytest.mark.parametrize("batch", [0, 16])
def test_members_are_trained_on_the_rows_that_they_keep(
    make: Callable[[], Dataset], batch: int
) -> None:
    dataset = make()
    kept = folds(dataset, 3, seed=5)
    settings = replace(SETTINGS, batch_size=batch)
    found = fit_many(dataset, [settings] * 4, kept=[None, *kept])
    assert found[0].losses == pytest.approx(fit(dataset, settings).history.losses, rel=1e-3)
    for mask, member in zip(kept, found[1:], strict=True):
        y = dataset.y[mask]
        names = {"classes": dataset.classes, "scaling": dataset.scaling}
        part = Dataset(dataset.x[mask], y, **names)  # type: ignore[arg-type]
        alone = fit(part, replace(SETTINGS, batch_size=0)).history.losses
        assert member.losses[0] == pytest.approx(alone[0], rel=1e-5)
        if not batch:  # batches of all rows are not those of a part
            assert member.losses == pytest.approx(alone, rel=1e-3)


def test_every_row_is_held_out_by_one_fold() -> None:
    dataset = flowers()
    kept = folds(dataset, 5, seed=0)
    assert torch.stack([~mask for mask in kept]).sum(dim=0).tolist() == [1] * 60
    for mask in kept:  # of each class about the same share
        counts = torch.bincount(dataset.y[~mask], minlength=3)
        expected = torch.bincount(dataset.y, minlength=3) / 5
        assert ((counts - expected).abs() <= 1).all()
    assert not torch.equal(kept[0], folds(dataset, 5, seed=1)[0])
    assert torch.equal(kept[0], folds(dataset, 5, seed=0)[0])
    with pytest.raises(ValueError, match="40 folds need 80 rows or more; got 60"):
        folds(dataset, 40, seed=0)
