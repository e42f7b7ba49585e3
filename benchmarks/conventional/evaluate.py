"""evaluate: load the model, measure it on fresh points, draw its weights."""

import argparse

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import torch

NOISE = 0.2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", required=True)
    parser.add_argument("--training", required=True)
    options = parser.parse_args()
    torch.manual_seed(1)
    with mlflow.start_run():
        net = mlflow.pytorch.load_model(f"runs:/{options.training}/model")
        file = mlflow.artifacts.download_artifacts(f"runs:/{options.points}/dataset.csv")
        points = np.loadtxt(file, delimiter=",", skiprows=1, dtype=np.float32)
        test_x = 2 * torch.rand(1000, 1) - 1
        test_y = test_x.pow(2) + NOISE * torch.rand(test_x.shape)
        seen = torch.from_numpy(points).split(1, dim=1)
        with torch.no_grad():
            for name, (x, y) in {"train": seen, "test": (test_x, test_y)}.items():
                error = net(x) - y
                mse, mae = error.square().mean().item(), error.abs().mean().item()
                mlflow.log_metrics({f"{name}_mse": mse, f"{name}_mae": mae})

        file = mlflow.artifacts.download_artifacts(f"runs:/{options.training}/weights.csv")
        weights = np.loadtxt(file, delimiter=",", skiprows=1)
        figure, axes = plt.subplots(1, 2, figsize=(8, 6))
        axes[0].barh(range(len(weights)), weights[:, 0])
        axes[0].set_title("input weights")
        axes[1].barh(range(len(weights)), weights[:, 2])
        axes[1].set_title("output weights")
        mlflow.log_figure(figure, "rst.png")


if __name__ == "__main__":
    main()
