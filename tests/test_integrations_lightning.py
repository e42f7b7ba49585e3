"""Lightning: a Trainer's fit is filmed, in its logger's run, and ends as it ends."""

import copy
import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import MLFlowLogger
from lightning.pytorch.strategies import FSDPStrategy
from mlflow.tracking import MlflowClient
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from fitreel import Reel
from fitreel.integrations.lightning import FilmCallback, check_strategy
from tests.conftest import ROOT, environment
from tests.faults import runs
from tests.filmed import Film, films, only_film, type_example

pytestmark = [
    # Hints about speed, and one about a function of torch that Lightning calls.
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
]
X = torch.linspace(-1, 1, 32)[:, None]
Y = X**2


class Curve(LightningModule):
    """A network with all that a careless film would change: dropout, batch norm, shuffled rows."""

    def __init__(self) -> None:
        super().__init__()
        layers = (nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.network = nn.Sequential(*layers)
        self.losses: list[float] = []
        self.validated: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x)
        return found

    def training_step(self, batch: list[Tensor], _: int) -> Tensor | None:
        x, y = batch
        loss = mse_loss(self(x), y)
        self.losses.append(loss.item())
        return loss

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        x, y = batch
        loss = mse_loss(self(x), y)
        if not self.trainer.sanity_checking:
            self.validated.append(loss.item())
        self.log("val_loss", loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.02)


def fit(*callbacks: Callback, module: Curve | None = None, **options: Any) -> Curve:
    torch.manual_seed(0)
    module = module or Curve()
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False, "logger": False}
    trainer = Trainer(
        **{"max_epochs": 4, "enable_model_summary": False, "accelerator": "cpu"} | quiet | options,
        callbacks=list(callbacks),
    )
    rows = TensorDataset(X, Y)
    trainer.fit(module, DataLoader(rows, 8, shuffle=True), DataLoader(rows, 32))
    return module


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(mine, yours) for mine, yours in pairs)


def test_a_fit_is_filmed_and_no_bit_of_it_changes(film_store: MlflowClient) -> None:
    module = fit(FilmCallback(X, Y, experiment="curves", name="first", every=3, lr=0.02))
    assert same(module, fit())
    found = only_film(film_store)
    assert (found.status, found.run.info.run_name) == ("FINISHED", "first")
    assert found.run.data.params == {"lr": "0.02"}
    means = [sum(module.losses[first : first + 4]) / 4 for first in range(0, 16, 4)]
    losses = found.points("loss")
    assert [step for step, _ in losses] == [0, 1, 2, 3]
    assert [loss for _, loss in losses] == pytest.approx(means)
    validation = found.points("val_loss")
    assert [step for step, _ in validation] == [0, 1, 2, 3]
    assert [loss for _, loss in validation] == pytest.approx(module.validated)
    assert found.frames == [0, 3]
    module.eval()
    predicted = module(found.reel().probes.inputs)[:, 0].detach().numpy()
    assert found.reel().recording().predictions[-1] == pytest.approx(predicted, abs=1e-6)


def test_steps_of_the_optimizer(film_store: MlflowClient) -> None:
    film = FilmCallback(X, Y, per="step", every=1)
    module = fit(film, max_epochs=2, accumulate_grad_batches=2)
    found = only_film(film_store)
    pairs = zip(module.losses[::2], module.losses[1::2], strict=True)
    assert found.frames == found.steps("loss") == [1, 2, 3, 4]
    assert [loss for _, loss in found.points("loss")] == pytest.approx(
        [(a + b) / 2 for a, b in pairs]
    )
    assert found.steps("val_loss") == [2, 4]


def test_it_joins_the_run_of_a_logger_which_ends_it(film_store: MlflowClient) -> None:
    logger = MLFlowLogger("theirs", tracking_uri=mlflow.get_tracking_uri())
    fit(FilmCallback(X, Y, every=1), logger=logger, log_every_n_steps=1)
    (run,) = runs(film_store)
    found = Film(film_store, run)
    assert (run.info.run_id, found.status) == (logger.run_id, "FINISHED")
    assert found.frames == found.steps("film/loss") == found.steps("film/val_loss") == [0, 1, 2, 3]
    assert found.steps("val_loss") == [3, 7, 11, 15]  # the logger's own steps
    assert "loss" not in run.data.metrics


class Breaking(Curve):
    def __init__(self, error: BaseException, epoch: int = 2) -> None:
        super().__init__()
        self.error, self.epoch = error, epoch

    def training_step(self, batch: list[Tensor], index: int) -> Tensor | None:
        if self.current_epoch == self.epoch:
            raise self.error
        return super().training_step(batch, index)


@pytest.mark.parametrize(
    ("error", "raised", "status"),
    [(RuntimeError(), RuntimeError, "FAILED"), (KeyboardInterrupt(), SystemExit, "KILLED")],
)
def test_a_fit_that_is_broken_off(
    film_store: MlflowClient, error: BaseException, raised: type[BaseException], status: str
) -> None:
    """Lightning turns a KeyboardInterrupt into an exit."""
    with pytest.raises(raised):
        fit(FilmCallback(X, Y, every=1), module=Breaking(error))
    found = only_film(film_store)
    assert (found.status, found.frames) == (status, [0, 1])


def test_a_logger_says_itself_how_its_run_ended(film_store: MlflowClient) -> None:
    logger = MLFlowLogger("theirs", tracking_uri=mlflow.get_tracking_uri())
    with pytest.raises(RuntimeError):
        fit(FilmCallback(X, Y, every=1), module=Breaking(RuntimeError()), logger=logger)
    found = only_film(film_store)
    assert (found.status, found.frames) == ("FAILED", [0, 1])


def test_two_fits_are_two_films_also_of_copies(film_store: MlflowClient) -> None:
    film = FilmCallback(X, Y, every=1)
    fit(film, max_epochs=1)
    with pytest.raises(RuntimeError):
        fit(film, module=Breaking(RuntimeError()))
    fit(copy.deepcopy(film), max_epochs=2)
    fit(pickle.loads(pickle.dumps(film)), max_epochs=3)
    found = films(film_store)
    assert [each.status for each in found] == ["FINISHED", "FAILED", "FINISHED", "FINISHED"]
    assert [each.frames for each in found] == [[0], [0, 1], [0, 1], [0, 1, 2]]


def test_a_checkpoint_is_saved_while_a_film_is_open(film_store: MlflowClient) -> None:
    fit(FilmCallback(X, Y, every=1), enable_checkpointing=True)
    assert list(Path("checkpoints").glob("*.ckpt"))
    assert only_film(film_store).status == "FINISHED"


class Silent(Curve):
    """A module that steps by itself and only logs its loss."""

    automatic_optimization = False

    def training_step(self, batch: list[Tensor], index: int) -> None:
        loss = super().training_step(batch, index)
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.log("mine", loss, on_step=False, on_epoch=True)


def test_a_module_that_only_logs_its_loss(
    film_store: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fitreel"):
        silent, named = Silent(), Silent()
        fit(FilmCallback(X, Y, every=1), module=silent)
        assert "training_step returns no loss; give loss= a name" in caplog.text
        fit(FilmCallback(X, Y, every=1, loss="other"), module=Silent())
        assert "no other was logged; give loss= a name" in caplog.text
    fit(FilmCallback(X, Y, every=1, loss="mine"), module=named)
    assert len(silent.losses) == 16  # the training went on
    first, second, third = films(film_store)
    assert (first.status, second.status, third.status) == ("FAILED", "FAILED", "FINISHED")
    assert third.points("loss")[0][1] == pytest.approx(sum(named.losses[:4]) / 4)


def test_an_error_of_the_film_ends_only_the_film(
    film_store: MlflowClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Reel, "frame", fail)
    with caplog.at_level(logging.WARNING, "fitreel"):
        module = fit(FilmCallback(X, Y))
    assert caplog.messages == ["the film ends, the training goes on: no room"]
    assert len(module.losses) == 16
    assert only_film(film_store).status == "FAILED"


def test_what_does_not_fit_is_an_error_before_the_first_step(film_store: MlflowClient) -> None:
    module = Curve()
    with pytest.raises(ValueError, match=r"must return 200 predictions.*got shape \(200, 8\)"):
        fit(FilmCallback(X, Y, predict=lambda module, x: module.network[0](x)), module=module)
    assert not module.losses
    assert only_film(film_store).status == "FAILED"
    with pytest.raises(ValueError, match="per must be epoch or step; got batch"):
        FilmCallback(X, Y, per="batch")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="all weights in one process; FSDPStrategy"):
        check_strategy(FSDPStrategy())


def test_a_function_predicts_in_place_of_forward(film_store: MlflowClient) -> None:
    fit(FilmCallback(X, Y, predict=lambda module, x: module.network(x) + 7, every=1))
    assert only_film(film_store).reel().recording().predictions.min() > 5


TWO = """
import warnings
from tests.test_integrations_lightning import X, Y, FilmCallback, fit

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    fit(FilmCallback(X, Y, every=1), devices=2, strategy="ddp_fork", max_epochs=2)
"""


def test_of_two_processes_the_first_one_films(film_store: MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(TWO)
    places = environment(
        PYTHONPATH=os.pathsep.join([str(ROOT), *sys.path]),
        MLFLOW_TRACKING_URI=mlflow.get_tracking_uri(),
    )
    done = subprocess.run(
        [sys.executable, "two.py"],
        cwd=tmp_path,
        env=places,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "MEMBER: 2/2" in done.stderr
    found = only_film(film_store)
    assert (found.status, found.frames) == ("FINISHED", [0, 1])


def test_the_example_of_the_page(film_store: MlflowClient) -> None:
    type_example("Lightning")
    found = only_film(film_store)
    assert (found.status, found.steps("loss")) == ("FINISHED", list(range(30)))
    assert found.points("loss")[-1][1] < 0.05
