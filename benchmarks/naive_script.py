"""The tutorial's way: one script whose loop trains, logs each loss and draws the figure again.

It does not import fitreel: `python naive_script.py` writes and logs the same outputs.
"""

import csv
from pathlib import Path
from typing import Any, cast

import imageio.v2 as imageio
import matplotlib.pyplot as plt
import mlflow
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray
from torch import Tensor, nn

HIDDEN, LEARNING_RATE, EPOCHS, FRAME_EVERY, NOISE = 20, 0.1, 1000, 5, 0.2
OUTPUTS = ("dataset.csv", "scatter.png", "history.csv", "weights.csv", "network.txt", "rst.gif")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(1, HIDDEN)
        self.output = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.output(torch.relu(self.hidden(x))))


def write_csv(path: str, header: list[str], rows: Any) -> None:
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def draw(x: Any, y: Any, prediction: Any, loss: float) -> NDArray[np.uint8]:
    plt.cla()
    plt.scatter(x, y)
    plt.plot(x, prediction, "r-", lw=5)
    plt.text(0.5, 0, f"Loss={loss:.4f}", fontdict={"size": 20, "color": "red"})
    canvas = cast(FigureCanvasAgg, plt.gcf().canvas)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def save_gif(path: Path | str, frames: list[Any]) -> None:
    imageio.mimsave(path, frames, duration=50, loop=0)


def draw_weights(net: Net) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(8, 6))
    for axis, name in zip(axes, ("hidden", "output"), strict=True):
        axis.barh(range(HIDDEN), net.get_parameter(f"{name}.weight").detach().flatten())
        axis.set_title(f"{name} weights")
    figure.savefig("rst.png")


def main() -> None:
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 100).unsqueeze(1)
    y = x.pow(2) + NOISE * torch.rand(x.size())
    with mlflow.start_run():
        mlflow.log_params({"hidden": HIDDEN, "lr": LEARNING_RATE, "epochs": EPOCHS})
        write_csv("dataset.csv", ["x", "y"], torch.cat([x, y], dim=1).tolist())
        plt.scatter(x, y)
        plt.savefig("scatter.png")

        net = Net()
        Path("network.txt").write_text(f"{net}\n")
        optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
        loss_function = nn.MSELoss()
        losses, frames = [], []
        for epoch in range(EPOCHS):
            prediction = net(x)
            loss = loss_function(prediction, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            mlflow.log_metric("loss", loss.item(), step=epoch)
            if epoch % FRAME_EVERY == 0:
                frames.append(draw(x, y, prediction.detach(), loss.item()))
        save_gif("rst.gif", frames)

        write_csv("history.csv", ["epoch", "loss"], enumerate(losses))
        columns = [net.hidden.weight[:, 0], net.hidden.bias, net.output.weight[0]]
        rows = torch.stack(columns, dim=1).tolist()
        write_csv("weights.csv", ["input_weight", "bias", "output_weight"], rows)
        draw_weights(net)

        test_x = 2 * torch.rand(1000, 1) - 1
        test_y = test_x.pow(2) + NOISE * torch.rand(test_x.size())
        with torch.no_grad():
            test_loss = loss_function(net(test_x), test_y).item()
            test_mae = (net(test_x) - test_y).abs().mean().item()
        mlflow.log_metrics({"test_mse": test_loss, "test_mae": test_mae})

        for path in (*OUTPUTS, "rst.png"):
            mlflow.log_artifact(path)
        mlflow.pytorch.log_model(
            net,
            name="model",
            input_example=x.numpy(),
            # Passed explicitly, because MLflow takes seconds to find them out by itself.
            pip_requirements=[f"torch=={torch.__version__}"],
        )


if __name__ == "__main__":
    main()
