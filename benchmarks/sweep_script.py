"""A search as most people would write it: a bare loop of PyTorch, each trial a nested run.

It does not import fitreel. `python sweep_script.py log-metric 20` runs 20 trials with Optuna and
logs each loss immediately; `log-batch` logs all losses of a trial in one call. With `ray-tune`, Ray
Tune runs two trials at a time and its own callback logs them. The script prints the seconds of the
search, without imports, tables, points and the start of Ray.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import optuna
import torch
from mlflow import MlflowClient
from mlflow.entities import Metric
from torch import Tensor, nn

EPOCHS, SAMPLES, TEST_SAMPLES, NOISE = 100, 100, 1000, 0.2
SHARED = {
    "samples": SAMPLES,
    "function": "quadratic",
    "noise": NOISE,
    "x_min": -1.0,
    "x_max": 1.0,
    "data_seed": 0,
    "test_samples": TEST_SAMPLES,
    "activation": "relu",
    "optimizer": "sgd",
    "epochs": EPOCHS,
    "batch_size": 0,
    "loss": "mse",
    "weight_decay": 0.0,
    "patience_epochs": 0,
}


def noisy(x: Tensor) -> Tensor:
    return x.pow(2) + NOISE * torch.rand(x.size())


def points() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, SAMPLES).unsqueeze(1)
    test_x = 2 * torch.rand(TEST_SAMPLES, 1) - 1
    return x, noisy(x), test_x, noisy(test_x)


def network(values: dict[str, Any]) -> nn.Sequential:
    torch.manual_seed(values["seed"])
    hidden = values["hidden"]
    return nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def train(net: nn.Module, lr: float, x: Tensor, y: Tensor) -> Iterator[float]:
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    loss_function = nn.MSELoss()
    for _ in range(EPOCHS):
        loss = loss_function(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def root_error(net: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return float((net(x) - y).square().mean().sqrt().item())


def dead_neurons(net: nn.Sequential, x: Tensor) -> int:
    with torch.no_grad():
        return int((net[0](x) <= 0).all(dim=0).sum().item())


def measure(
    net: nn.Sequential, x: Tensor, y: Tensor, test_x: Tensor, test_y: Tensor
) -> dict[str, float]:
    test_rmse = root_error(net, test_x, test_y)
    return {
        "train_rmse": root_error(net, x, y),
        "test_rmse": test_rmse,
        "test_r2": 1 - test_rmse**2 / test_y.var(correction=0).item(),
        "dead_neurons": dead_neurons(net, x),
    }


def with_optuna(trials: int, at_once: bool) -> float:
    x, y, test_x, test_y = points()
    client = MlflowClient()

    def objective(trial: optuna.Trial) -> float:
        values = {
            "lr": trial.suggest_float("lr", 1e-3, 0.5, log=True),
            "hidden": trial.suggest_int("hidden", 2, 64),
            "seed": trial.suggest_categorical("seed", [0, 1, 2]),
        }
        with mlflow.start_run(nested=True, run_name=f"trial-{trial.number}") as run:
            mlflow.log_params(SHARED | values)
            net = network(values)
            curve = []
            for epoch, loss in enumerate(train(net, values["lr"], x, y)):
                if at_once:
                    curve.append(Metric("loss", loss, int(time.time() * 1000), epoch))
                else:
                    mlflow.log_metric("loss", loss, step=epoch)
            if at_once:
                client.log_batch(run.info.run_id, metrics=curve)
            metrics = measure(net, x, y, test_x, test_y)
            mlflow.log_metrics(metrics)
            torch.save(net.state_dict(), "weights.pt")
            mlflow.log_artifact("weights.pt")
        return metrics["test_rmse"]

    with mlflow.start_run():
        sampler = optuna.samplers.RandomSampler(seed=0)
        study = optuna.create_study(storage="sqlite:///optuna.db", sampler=sampler)
        started = time.perf_counter()
        study.optimize(objective, n_trials=trials)
        return time.perf_counter() - started


def with_ray_tune(trials: int) -> float:
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    def trainable(config: dict[str, Any]) -> None:
        x, y, test_x, test_y = points()
        net = network(config)
        for epoch, loss in enumerate(train(net, config["lr"], x, y), start=1):
            if epoch < EPOCHS:
                tune.report({"loss": loss})
        metrics = {"loss": loss} | measure(net, x, y, test_x, test_y)
        with tempfile.TemporaryDirectory() as folder:
            torch.save(net.state_dict(), Path(folder, "weights.pt"))
            tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(folder))

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    with mlflow.start_run() as parent:
        # Not in the configuration of each trial: the callback logs its numbers with every loss.
        mlflow.log_params(SHARED)
        callback = MLflowLoggerCallback(
            mlflow.get_tracking_uri(),
            experiment_name=mlflow.get_experiment(parent.info.experiment_id).name,
            tags={"mlflow.parentRunId": parent.info.run_id},
        )
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space={
                "lr": tune.loguniform(1e-3, 0.5),
                "hidden": tune.randint(2, 65),
                "seed": tune.choice([0, 1, 2]),
            },
            tune_config=tune.TuneConfig(
                num_samples=trials, max_concurrent_trials=2, reuse_actors=True
            ),
            run_config=tune.RunConfig(
                storage_path=str(Path("ray").resolve()), callbacks=[callback]
            ),
        )
        started = time.perf_counter()
        results = tuner.fit()
        took = time.perf_counter() - started
    if results.errors:
        raise results.errors[0]
    return took


def main() -> None:
    how, trials = sys.argv[1], int(sys.argv[2])
    print(with_ray_tune(trials) if how == "ray-tune" else with_optuna(trials, how == "log-batch"))


if __name__ == "__main__":
    main()
