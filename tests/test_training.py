import math
from typing import get_args

import numpy as np
import pytest
import torch

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.settings import OptimizerName, TrainingSettings
from fitreel.training.history import check_frames
from fitreel.training.loop import TrainingDiverged, fit
from fitreel.training.network import Network


def test_one_update_equals_the_gradient_computed_by_hand() -> None:
    dataset = Dataset(torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([1.0, 0.0, 3.0]))
    settings = TrainingSettings(hidden=3, lr=0.1, epochs=1)
    before = Network(settings).weights()
    after = fit(dataset, settings).network.weights()

    x, y = dataset.x.tolist(), dataset.y.tolist()
    w, b, v = (
        numbers.flatten().tolist()
        for numbers in (before.input_weight, before.bias, before.output_weight)
    )
    c = before.output_bias.item()
    dw, db, dv, dc = [0.0] * 3, [0.0] * 3, [0.0] * 3, 0.0
    for point, target in zip(x, y, strict=True):
        inputs = [w[j] * point + b[j] for j in range(3)]
        active = [max(0.0, value) for value in inputs]
        slope = 2 / 3 * (sum(v[j] * active[j] for j in range(3)) + c - target)
        dc += slope
        for j in range(3):
            dv[j] += slope * active[j]
            if inputs[j] > 0:
                dw[j] += slope * v[j] * point
                db[j] += slope * v[j]

    assert after.input_weight[:, 0].tolist() == pytest.approx(
        [w[j] - 0.1 * dw[j] for j in range(3)]
    )
    assert after.bias.tolist() == pytest.approx([b[j] - 0.1 * db[j] for j in range(3)])
    assert after.output_weight[0].tolist() == pytest.approx([v[j] - 0.1 * dv[j] for j in range(3)])
    assert after.output_bias.item() == pytest.approx(c - 0.1 * dc)


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.05),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.05),
}


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_training_equals_the_usual_loop_in_torch(name: OptimizerName) -> None:
    dataset = generate()
    settings = TrainingSettings(optimizer=name, lr=0.05, epochs=50)
    network = Network(settings)
    optimizer = OPTIMIZERS[name](network.parameters())
    losses = []
    for _ in range(settings.epochs):
        loss = torch.nn.functional.mse_loss(network(dataset.x[:, None]), dataset.y[:, None])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert fit(dataset, settings).history.losses.tolist() == pytest.approx(losses, rel=1e-5)


def test_the_same_settings_give_the_same_losses_to_the_last_bit(dataset: Dataset) -> None:
    settings = TrainingSettings(optimizer="adam", epochs=100)
    first, again = fit(dataset, settings).history, fit(dataset, settings).history
    assert first.losses.tobytes() == again.losses.tobytes()
    assert torch.equal(first.frames.bias, again.frames.bias)


def test_a_frame_shows_the_weights_before_the_update(dataset: Dataset) -> None:
    settings = TrainingSettings(epochs=23, frame_every=5)
    history = fit(dataset, settings).history
    assert history.frame_epochs.tolist() == [0, 5, 10, 15, 20, 23]
    assert torch.equal(history.frames[0].bias, Network(settings).weights().bias)
    assert np.array_equal(history.frame_losses[:-1], history.losses[::5])
    for number, loss in enumerate(history.frame_losses):
        error = history.frames[number].predict(dataset.x) - dataset.y
        assert error.square().mean().item() == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("epochs", [1, 20, 23])
def test_the_last_frame_is_the_trained_network(dataset: Dataset, epochs: int) -> None:
    network, history = fit(dataset, TrainingSettings(epochs=epochs))
    assert history.frame_epochs[-1] == epochs == len(history.losses)
    assert torch.equal(history.frames[-1].flat(), network.weights().flat())
    # What one epoch more would log as its loss, before its update.
    longer = fit(dataset, TrainingSettings(epochs=epochs + 1)).history
    assert history.trained_loss == longer.losses[-1]
    assert history.curve.tolist() == longer.losses.tolist()


def test_the_hook_is_called_at_every_epoch(dataset: Dataset) -> None:
    seen = []
    settings = TrainingSettings(epochs=7)
    fit(dataset, settings, lambda epoch, loss, training: seen.append((epoch, loss, training)))
    assert [epoch for epoch, _, _ in seen] == list(range(7))
    assert seen[-1][1] < seen[0][1]
    assert isinstance(seen[0][2].network, Network)


def test_training_leaves_the_global_random_state_alone(dataset: Dataset) -> None:
    before = torch.random.get_rng_state()
    fit(dataset, TrainingSettings(epochs=3))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_loss_that_is_not_finite_stops_training(dataset: Dataset) -> None:
    with pytest.raises(TrainingDiverged, match=r"no longer finite at epoch \d+; lower lr") as error:
        fit(dataset, TrainingSettings(lr=1000.0))
    history = error.value.history
    assert history is not None
    assert len(history.losses) == error.value.epoch
    assert np.isfinite(history.losses).all()
    assert history.frame_epochs[-1] < error.value.epoch
    assert history.trained_loss is None  # no network is trained


def test_a_last_update_without_a_finite_loss_is_an_error_too(
    dataset: Dataset,
) -> None:
    with pytest.raises(TrainingDiverged) as error:
        fit(dataset, TrainingSettings(lr=1000.0))
    epochs = error.value.epoch
    with pytest.raises(TrainingDiverged) as again:
        fit(dataset, TrainingSettings(lr=1000.0, epochs=epochs))
    assert again.value.epoch == epochs
    assert again.value.history
    assert again.value.history.trained_loss is None


def test_frames_that_would_fill_the_memory_are_refused(dataset: Dataset) -> None:
    check_frames(TrainingSettings(epochs=10_000_000))  # the largest number of frames, read lazily
    with pytest.raises(ValueError, match="10,000,001 frames of 12,289 weights are 122,890,012,289"):
        fit(dataset, TrainingSettings(hidden=4096, epochs=10_000_000, frame_every=1))


def test_the_default_training_fits_the_curve(dataset: Dataset) -> None:
    losses = fit(dataset).history.losses
    assert len(losses) == 1000
    assert math.isclose(losses[-1], 0.00371, rel_tol=0.01)
