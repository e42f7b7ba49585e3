"""The callback for Lightning: a film of what a LightningModule predicts while it is fitted."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.loggers import MLFlowLogger
    from lightning.pytorch.strategies import (
        DeepSpeedStrategy,
        FSDPStrategy,
        ModelParallelStrategy,
        Strategy,
    )
except ModuleNotFoundError as missing:
    name = str(missing.name).partition(".")[0]
    raise ModuleNotFoundError(
        f"FilmCallback for Lightning needs {name}: pip install 'fitreel[lightning]'"
    ) from None
from torch import Tensor

from fitreel.data.column import Numbers
from fitreel.integrations.filming import Filming, predicting

VALIDATION = "val_loss"


class FilmCallback(Callback):
    """A callback of a Trainer that films each ``fit``; of several processes the first one films."""

    def __init__(
        self,
        x: Numbers,
        y: Numbers,
        *,
        predict: Callable[[Any, Tensor], Any] | None = None,
        loss: str | None = None,
        per: Literal["epoch", "step"] = "epoch",
        **options: Any,
    ) -> None:
        """Take the rows to show, and the options of ``fitreel.film``.

        ``predict(module, x)`` is for a module whose ``forward`` does something else. The loss is
        what ``training_step`` returns, as the mean of an epoch or, with ``per="step"``, at every
        step of the optimizer; or else what the module logs under the name ``loss``.
        """
        if per not in {"epoch", "step"}:
            raise ValueError(f"per must be epoch or step; got {per}")
        self._x, self._y, self._predict, self._loss, self._per = x, y, predict, loss, per
        self._filming = Filming(options)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the film, in the run of an MLFlowLogger if there is one."""
        check_strategy(trainer.strategy)
        if trainer.is_global_zero:
            self._forget_losses()
            self._validated: dict[str, Tensor] = {}
            self._step = trainer.global_step
            model = predicting(pl_module, self._predict)
            self._filming.start(self._x, self._y, model, **_run_of(trainer))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Add the loss of a batch to those of the epoch, or film a step."""
        if not trainer.is_global_zero:
            return
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if loss is not None:
            # Lightning has divided it. It stays a tensor: a number would have to wait for the GPU.
            self._sum += loss.detach() * trainer.accumulate_grad_batches
            self._count += 1
        if self._per == "step" and trainer.global_step > self._step:
            self._step = trainer.global_step
            self._frame(trainer, pl_module, self._step)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Keep the validation loss, if the module logs one, for the frame of the epoch."""
        found = trainer.callback_metrics.get(VALIDATION)
        self._validated = {} if found is None else {VALIDATION: found}
        if self._per == "step":
            self._filming.point(trainer.global_step, self._validated)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Film an epoch."""
        if self._per == "epoch" and trainer.is_global_zero:
            self._frame(trainer, pl_module, trainer.current_epoch, self._validated)
            self._validated = {}

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Close the film."""
        self._filming.end()

    def on_exception(
        self,
        trainer: Trainer,  # noqa: ARG002
        pl_module: LightningModule,  # noqa: ARG002
        exception: BaseException,
    ) -> None:
        """Close the film with what there is; the Trainer itself turns Ctrl-C into an exit."""
        self._filming.end(exception)

    def _frame(
        self,
        trainer: Trainer,
        module: LightningModule,
        step: int,
        metrics: Mapping[str, Tensor] | None = None,
    ) -> None:
        logged = trainer.callback_metrics.get(self._loss) if self._loss else None
        loss = logged if self._loss else self._sum / self._count if self._count else None
        self._forget_losses()
        if loss is None:
            what = f"no {self._loss} was logged" if self._loss else "training_step returns no loss"
            self._filming.give_up(ValueError(f"{what}; give loss= a name that the module logs"))
        else:
            self._filming.frame(step, loss, predicting(module, self._predict), metrics)

    def _forget_losses(self) -> None:
        self._sum: Tensor | float = 0.0
        self._count = 0


def check_strategy(strategy: Strategy) -> None:
    """Raise ValueError for one that gives each process only a part of the weights."""
    if isinstance(strategy, (DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy)):
        name = type(strategy).__name__
        raise ValueError(f"FilmCallback needs all weights in one process; {name} spreads them")


def _run_of(trainer: Trainer) -> dict[str, str]:
    for logger in trainer.loggers:
        if isinstance(logger, MLFlowLogger):
            return {"run_id": logger.run_id, "tracking_uri": logger.experiment.tracking_uri}
    return {}
