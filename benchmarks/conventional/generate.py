"""generate: draw the points and log them."""

import matplotlib.pyplot as plt
import mlflow
import numpy as np

NOISE = 0.2


def main() -> None:
    generator = np.random.default_rng(0)
    x = np.linspace(-1, 1, 100, dtype=np.float32)
    y = x**2 + NOISE * generator.random(x.shape, dtype=np.float32)
    with mlflow.start_run():
        mlflow.log_params({"samples": len(x), "noise": NOISE})
        np.savetxt("dataset.csv", np.stack([x, y], 1), delimiter=",", header="x,y", comments="")
        mlflow.log_artifact("dataset.csv")
        figure, axes = plt.subplots()
        axes.scatter(x, y)
        mlflow.log_figure(figure, "scatter.png")


if __name__ == "__main__":
    main()
