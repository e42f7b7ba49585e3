"""train: fit the network to the points; log each loss, the predictions and the model."""

import argparse
from typing import cast

import mlflow
import numpy as np
import torch
from torch import Tensor, nn

FRAME_EVERY = 5


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(1, 20)
        self.output = nn.Linear(20, 1)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.output(torch.relu(self.hidden(x))))


def log_table(path: str, header: str, *columns: Tensor) -> None:
    table = torch.stack(columns, dim=1).detach().numpy()
    np.savetxt(path, table, delimiter=",", header=header, comments="")
    mlflow.log_artifact(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    with mlflow.start_run():
        file = mlflow.artifacts.download_artifacts(f"runs:/{options.points}/dataset.csv")
        points = np.loadtxt(file, delimiter=",", skiprows=1, dtype=np.float32)
        x, y = torch.from_numpy(points).split(1, dim=1)

        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), lr=options.lr)
        loss_function = nn.MSELoss()
        losses, frames = [], []
        for epoch in range(options.epochs):
            prediction = net(x)
            loss = loss_function(prediction, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            mlflow.log_metric("loss", loss.item(), step=epoch)
            if epoch % FRAME_EVERY == 0:
                frames.append(prediction.detach()[:, 0].numpy())

        np.savez("frames.npz", predictions=frames, losses=losses[::FRAME_EVERY])
        mlflow.log_artifact("frames.npz")
        mlflow.log_text(str(net), "network.txt")
        log_table("history.csv", "epoch,loss", torch.arange(len(losses)), torch.tensor(losses))
        columns = (net.hidden.weight[:, 0], net.hidden.bias, net.output.weight[0])
        log_table("weights.csv", "input_weight,bias,output_weight", *columns)
        mlflow.pytorch.log_model(
            net,
            name="model",
            input_example=x.numpy(),
            # Passed explicitly, because MLflow takes seconds to find them out by itself.
            pip_requirements=[f"torch=={torch.__version__}"],
        )


if __name__ == "__main__":
    main()
