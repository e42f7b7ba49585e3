"""The alternatives that run in this process: the usual way, without fitreel."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.artist import Artist
from numpy.typing import NDArray
from torch import Tensor, nn

import fitreel
from benchmarks import naive_script
from fitreel import Dataset, History, TrainingSettings, fit


def redrawn_gif(dataset: Dataset, history: History, path: Path) -> None:
    """Draw every frame from scratch, as the script does, then write all frames."""
    x, y, predictions, losses = _frames(dataset, history)
    frames = [
        naive_script.draw(x, y, prediction, loss)
        for prediction, loss in zip(predictions, losses, strict=True)
    ]
    naive_script.save_gif(path, frames)
    plt.close()


def animated_gif(dataset: Dataset, history: History, path: Path) -> None:
    """Draw points, line and loss once, then update line and loss as in matplotlib's manual."""
    x, y, predictions, losses = _frames(dataset, history)
    figure, axes = plt.subplots()
    axes.scatter(x, y)
    (line,) = axes.plot(x, predictions[0], "r-", lw=5)
    label = axes.text(0.5, 0, "", size=20, color="red")

    def update(frame: int) -> tuple[Artist, ...]:
        line.set_ydata(predictions[frame])
        label.set_text(f"Loss={losses[frame]:.4f}")
        return line, label

    animation = FuncAnimation(figure, update, frames=len(predictions), interval=50)
    animation.save(path, writer=PillowWriter(fps=20))
    plt.close(figure)


def bare_loop(dataset: Dataset) -> list[float]:
    """Train the script's network as the script does; keep only the losses."""
    x, y = dataset.x.unsqueeze(1), dataset.y.unsqueeze(1)
    net = naive_script.Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=naive_script.LEARNING_RATE)
    loss_function = nn.MSELoss()
    losses = []
    for _ in range(naive_script.EPOCHS):
        prediction = net(x)
        loss = loss_function(prediction, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def points() -> tuple[Tensor, Tensor]:
    """Return the tutorial's points as columns."""
    dataset = fitreel.generate()
    return dataset.x.unsqueeze(1), dataset.y.unsqueeze(1)


def wide_network(
    x: Tensor, y: Tensor, look: Callable[[int, Tensor, nn.Module], None] | None = None
) -> None:
    """Train two hidden layers, 100,486 numbers in all; ``look`` is called after each update."""
    torch.manual_seed(0)
    hidden = 315
    model = nn.Sequential(
        nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=naive_script.LEARNING_RATE)
    for epoch in range(naive_script.EPOCHS):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if look:
            look(epoch, loss, model)


def _frames(
    dataset: Dataset, history: History
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    predictions = history.frames.predict(dataset.x).numpy()  # (frames, points)
    return dataset.x.numpy(), dataset.y.numpy(), predictions, history.losses[history.frame_epochs]


def loop_of_fits(dataset: Dataset, settings: Sequence[TrainingSettings]) -> None:
    """Train the networks one after the other with ``fit``."""
    for each in settings:
        fit(dataset, each)


def vmapped(dataset: Dataset, settings: Sequence[TrainingSettings]) -> Tensor:
    """Train all at once, as in PyTorch's tutorial on ensembles; settings differ in seed and lr."""
    networks: list[nn.Module] = []
    for each in settings:
        torch.manual_seed(each.seed)
        networks.append(
            nn.Sequential(nn.Linear(1, each.hidden), nn.ReLU(), nn.Linear(each.hidden, 1))
        )
    parameters, buffers = torch.func.stack_module_state(networks)
    rates = {name: torch.empty(each.shape) for name, each in parameters.items()}
    for rate in rates.values():
        for row, each in zip(rate, settings, strict=True):
            row.fill_(each.lr)
    x, y = dataset.x.unsqueeze(1), dataset.y.unsqueeze(1)
    base = networks[0]

    def loss_of(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return nn.functional.mse_loss(
            torch.func.functional_call(base, (parameters, buffers), (x,)), y
        )

    step = torch.func.vmap(torch.func.grad_and_value(loss_of))
    losses = []
    parameters = {name: each.detach() for name, each in parameters.items()}
    for _ in range(settings[0].epochs):
        gradients, values = step(parameters, buffers)
        losses.append(values)
        parameters = {
            name: each - rates[name] * gradients[name] for name, each in parameters.items()
        }
    return torch.stack(losses)
