"""Hugging Face: the Trainer's training is filmed, in its MLflow run, and ends as it ends."""

import os
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # before the first import: nothing may ask the internet

import mlflow
import pytest
import torch
from mlflow.tracking import MlflowClient
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import (
    PretrainedConfig,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from fitreel.integrations.transformers import FilmCallback
from tests.faults import runs
from tests.filmed import Film, films, only_film, type_example

X = torch.rand(32, 2, generator=torch.Generator().manual_seed(0))
SIDES = (X.sum(dim=1) > 1).long()
ROWS = [{"x": x, "labels": side} for x, side in zip(X, SIDES, strict=True)]


class Sides(PreTrainedModel):
    """A small classifier, with the dropout and the batch norm that a careless film would change."""

    config_class = PretrainedConfig

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config)
        layers = (nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 2))
        self.network = nn.Sequential(*layers)
        self.fails_with: BaseException | None = None
        self.post_init()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.network(x)
        if labels is None:
            return {"logits": logits}
        if self.fails_with and self.training:
            raise self.fails_with
        return {"loss": cross_entropy(logits, labels), "logits": logits}


def predict(model: Any, x: Tensor) -> Tensor:
    found: Tensor = model(x)["logits"]
    return found


def film(**options: Any) -> FilmCallback:
    defaults: dict[str, Any] = {"predict": predict, "classes": ("low", "high"), "every": 1}
    return FilmCallback(X, SIDES, **defaults | options)


def trainer(*callbacks: TrainerCallback, **options: Any) -> Trainer:
    set_seed(0)
    quiet = {"report_to": "none", "disable_tqdm": True, "save_strategy": "no", "use_cpu": True}
    steps = {"num_train_epochs": 2, "per_device_train_batch_size": 8, "logging_steps": 2}
    arguments = TrainingArguments("trained", **quiet | steps | options)
    model = Sides(PretrainedConfig())
    return Trainer(
        model, arguments, train_dataset=ROWS, eval_dataset=ROWS, callbacks=list(callbacks)
    )


class BreaksOff(TrainerCallback):
    """Lets the model fail after some steps."""

    def __init__(self, error: BaseException, step: int = 4) -> None:
        self.error, self.step = error, step

    def on_step_end(self, _: Any, state: Any, __: Any, model: Any = None, **___: Any) -> None:
        if state.global_step == self.step:
            model.fails_with = self.error


def test_a_training_is_filmed_and_no_bit_of_it_changes(film_store: MlflowClient) -> None:
    filmed = trainer(film(experiment="sides", name="first", lr=0.1), eval_strategy="epoch")
    filmed.train()
    plain = trainer(eval_strategy="epoch")
    plain.train()
    states = (each.model.state_dict().values() for each in (filmed, plain))
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))
    found = only_film(film_store)
    assert (found.status, found.run.info.run_name) == ("FINISHED", "first")
    assert found.run.data.params == {"lr": "0.1"}
    logged = filmed.state.log_history
    assert found.points("loss") == [(row["step"], row["loss"]) for row in logged if "loss" in row]
    assert found.points("eval_loss") == [
        (row["step"], row["eval_loss"]) for row in logged if "eval_loss" in row
    ]
    assert found.run.data.metrics.keys() == {"loss", "eval_loss"}
    assert found.frames == [2, 4, 6, 8]
    filmed.model.eval().cpu()
    expected = predict(filmed.model, found.reel().probes.inputs).softmax(dim=1).detach().numpy()
    assert found.reel().recording().predictions[-1] == pytest.approx(expected, abs=1e-6)


def test_it_joins_the_run_of_the_trainer_which_ends_it(film_store: MlflowClient) -> None:
    trainer(film(), report_to="mlflow", eval_strategy="epoch").train()
    (run,) = runs(film_store)
    found = Film(film_store, run)
    assert found.status == "FINISHED"
    assert found.steps("loss") == found.frames == [2, 4, 6, 8]
    assert found.points("film/loss") == found.points("loss")
    assert found.points("film/eval_loss") == found.points("eval_loss")
    assert mlflow.active_run() is None


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("broken"), "FAILED"), (KeyboardInterrupt("broken"), "KILLED")],
)
def test_in_a_block_a_training_that_is_broken_off_ends_at_once(
    film_store: MlflowClient, error: BaseException, status: str
) -> None:
    with pytest.raises(type(error), match="broken"), film() as callback:
        trainer(callback, BreaksOff(error)).train()
    found = only_film(film_store)
    assert (found.status, found.frames) == (status, [2, 4])


def test_without_a_block_it_ends_as_the_next_one_starts(film_store: MlflowClient) -> None:
    callback = film()
    with pytest.raises(RuntimeError):
        trainer(callback, BreaksOff(RuntimeError())).train()
    assert only_film(film_store).status == "RUNNING"
    trainer(callback).train()
    trainer(callback, num_train_epochs=1).train()
    found = films(film_store)
    assert [each.status for each in found] == ["FAILED", "FINISHED", "FINISHED"]
    assert [each.frames for each in found] == [[2, 4], [2, 4, 6, 8], [2, 4]]


def test_what_does_not_fit_is_an_error_before_the_first_step(film_store: MlflowClient) -> None:
    with pytest.raises(ValueError, match=r"of shape \(\d+, 2\), one a class; got shape \(\d+, 8\)"):
        trainer(film(predict=lambda model, x: model.network[0](x))).train()
    assert only_film(film_store).status == "FAILED"


def test_other_processes_film_nothing(film_store: MlflowClient) -> None:
    made = trainer(film())
    made.state.is_world_process_zero = False
    callback = film()
    callback.on_train_begin(made.args, made.state, made.control, model=made.model)
    callback.on_log(made.args, made.state, made.control, {"loss": 1.0}, model=made.model)
    callback.on_train_end(made.args, made.state, made.control)
    assert not films(film_store)


def test_a_checkpoint_is_saved_while_a_film_is_open(film_store: MlflowClient) -> None:
    trainer(film(), save_strategy="epoch").train()
    trainer(film(), num_train_epochs=3).train(resume_from_checkpoint="trained/checkpoint-8")
    first, second = films(film_store)
    assert (first.frames, second.frames) == ([2, 4, 6, 8], [10, 12])


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")
def test_the_example_of_the_page(film_store: MlflowClient) -> None:
    type_example("Hugging Face")
    found = only_film(film_store)
    assert (found.status, found.steps("loss")) == ("FINISHED", list(range(1, 151)))
    assert found.points("loss")[-1][1] < 0.05
