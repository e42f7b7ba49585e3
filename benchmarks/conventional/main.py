"""main: start the four steps in order and pass to each the run ids of the steps before it."""

import argparse
from typing import Any

import mlflow


def step(entry_point: str, **parameters: Any) -> str:
    run = mlflow.run(".", entry_point, parameters=parameters, env_manager="local")
    return str(run.run_id)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--lr", type=float, default=0.1)
    options = parser.parse_args()
    with mlflow.start_run():
        points = step("generate")
        training = step("train", points=points, epochs=options.epochs, lr=options.lr)
        step("evaluate", points=points, training=training)
        step("animate", points=points, training=training)


if __name__ == "__main__":
    main()
