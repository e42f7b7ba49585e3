"""The other sides that run in this process: how it is usually done, without fitreel."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.artist import Artist
from numpy.typing import NDArray
from torch import nn

from benchmarks import naive_script
from fitreel import Dataset, History


def redrawn_gif(dataset: Dataset, history: History, path: Path) -> None:
    """Draw each frame anew as the script does, then write them all."""
    x, y, predictions, losses = _frames(dataset, history)
    frames = [
        naive_script.draw(x, y, prediction, loss)
        for prediction, loss in zip(predictions, losses, strict=True)
    ]
    naive_script.save_gif(path, frames)
    plt.close()


def animated_gif(dataset: Dataset, history: History, path: Path) -> None:
    """Draw points, line and loss once and change what moves, as matplotlib's manual shows."""
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
    """Train the script's network as the script does, with nothing but the losses kept."""
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


def _frames(
    dataset: Dataset, history: History
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    predictions = history.frames.predict(dataset.x).numpy()  # (frames, points)
    return dataset.x.numpy(), dataset.y.numpy(), predictions, history.losses[history.frame_epochs]
