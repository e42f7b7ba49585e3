"""The callback for Keras on torch: a film of what a model predicts while it is fitted."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

try:
    import keras
except ModuleNotFoundError as missing:
    name = str(missing.name).partition(".")[0]
    raise ModuleNotFoundError(
        f"FilmCallback for Keras needs {name}: pip install 'fitreel[keras]'"
    ) from None
import torch
from numpy.typing import NDArray
from torch import nn

from fitreel.data.column import Numbers
from fitreel.integrations.filming import EndsWithBlock, Filming
from fitreel.reel.restoring import evaluating

LOSS = "loss"
BACKEND = "torch"


class FilmCallback(EndsWithBlock, keras.callbacks.Callback):
    """A callback of a model that films each ``fit``.

    Keras reports no exceptions to callbacks: ``with FilmCallback(…) as callback:`` around ``fit``
    ends the film at once if it raises.
    """

    def __init__(
        self,
        x: Numbers,
        y: Numbers,
        *,
        predict: Callable[[Any, NDArray[Any]], Any] | None = None,
        **options: Any,
    ) -> None:
        """Take the rows to show, and the options of ``fitreel.film``.

        ``predict(model, x)`` is for a model that returns something else, as a logit of two
        classes in one number. Raises ValueError if Keras does not run on torch.
        """
        super().__init__()
        if keras.backend.backend() != BACKEND:
            raise ValueError(
                f"FilmCallback needs KERAS_BACKEND={BACKEND}; it is {keras.backend.backend()}"
            )
        self._x, self._y, self._predict_by = x, y, predict
        self.filming_ = Filming(options)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Open the film."""
        self.filming_.start(self._x, self._y, self._predict)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Film an epoch, with its metrics."""
        metrics = dict(logs or {})
        self.filming_.frame(epoch, metrics.pop(LOSS, None), self._predict, metrics)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Close the film."""
        self.filming_.end()

    def _predict(self, x: NDArray[Any]) -> Any:
        predict = self._predict_by or _outputs
        parts = nn.ModuleList([self.model, *_layers(self.model)])
        with evaluating(parts), _same_state(self.model):
            return predict(self.model, x)


def _outputs(model: keras.Model, x: NDArray[Any]) -> Any:
    return model(x, training=False)


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield all layers: for torch they are not parts of their model."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)


@contextmanager
def _same_state(model: keras.Model) -> Iterator[None]:
    """Restore what no gradient trains, as means and the states of random generators."""
    # evaluating() does this for the buffers of torch; those of Keras are parameters.
    before = [(each, each.value.detach().clone()) for each in model.non_trainable_variables]
    try:
        yield
    finally:
        for each, value in before:
            if not torch.equal(each.value, value):
                each.assign(value)
