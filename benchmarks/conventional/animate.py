"""animate: draw the figure again for every frame and write the gif."""

import argparse
from typing import Any, cast

import imageio.v2 as imageio
import matplotlib.pyplot as plt
import mlflow
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", required=True)
    parser.add_argument("--training", required=True)
    options = parser.parse_args()
    with mlflow.start_run():
        file = mlflow.artifacts.download_artifacts(f"runs:/{options.points}/dataset.csv")
        x, y = np.loadtxt(file, delimiter=",", skiprows=1, unpack=True)
        file = mlflow.artifacts.download_artifacts(f"runs:/{options.training}/frames.npz")
        frames = np.load(file)

        images: list[Any] = []
        for prediction, loss in zip(frames["predictions"], frames["losses"], strict=True):
            plt.cla()
            plt.scatter(x, y)
            plt.plot(x, prediction, "r-", lw=5)
            plt.text(0.5, 0, f"Loss={loss:.4f}", fontdict={"size": 20, "color": "red"})
            canvas = cast(FigureCanvasAgg, plt.gcf().canvas)
            canvas.draw()
            images.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
        imageio.mimsave("rst.gif", images, duration=50, loop=0)
        mlflow.log_artifact("rst.gif")


if __name__ == "__main__":
    main()
