"""The callback for the Trainer of Hugging Face: a film of what its model predicts."""

from collections.abc import Callable, Mapping
from typing import Any

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from transformers.integrations import is_deepspeed_zero3_enabled
except ModuleNotFoundError as missing:
    name = str(missing.name).partition(".")[0]
    raise ModuleNotFoundError(
        f"FilmCallback for the Trainer needs {name}: pip install 'fitreel[transformers]'"
    ) from None
from torch import Tensor, nn

from fitreel.data.column import Numbers
from fitreel.integrations.filming import EndsWithBlock, Filming, predicting

LOSS = "loss"
EVALUATION = "eval_"
SPEED = ("_runtime", "_per_second", "_time")


class FilmCallback(EndsWithBlock, TrainerCallback):
    """A callback of a Trainer that films each ``train``; of several processes the first one films.

    The Trainer reports no exceptions to callbacks: ``with FilmCallback(…) as callback:`` around
    ``train`` ends the film at once if it raises.
    """

    def __init__(
        self, x: Numbers, y: Numbers, *, predict: Callable[[Any, Tensor], Any], **options: Any
    ) -> None:
        """Take the rows to show, and the options of ``fitreel.film``.

        ``predict(model, x)`` returns the predictions for a tensor of the shape of x, on the device
        of the model, which is in evaluation, without gradients.
        """
        self._x, self._y, self._predict = x, y, predict
        self.filming_ = Filming(options)

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        model: nn.Module | None = None,
        **_: Any,
    ) -> None:
        """Open the film, in the run that is active: the Trainer's own with report_to="mlflow"."""
        if args.fsdp or is_deepspeed_zero3_enabled():
            raise ValueError("FilmCallback needs all weights in one process; this Trainer does not")
        if state.is_world_process_zero and model is not None:
            self.filming_.start(self._x, self._y, predicting(model, self._predict))

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: Mapping[str, Any] | None = None,
        model: nn.Module | None = None,
        **_: Any,
    ) -> None:
        """Film the step of a loss; results of an evaluation are points on the chart."""
        logs = logs or {}
        if LOSS in logs and model is not None:
            self.filming_.frame(state.global_step, logs[LOSS], predicting(model, self._predict))
        results = [name for name in logs if name.startswith(EVALUATION)]
        found = {name: logs[name] for name in results if not name.endswith(SPEED)}
        self.filming_.point(state.global_step, found)

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Close the film."""
        self.filming_.end()
