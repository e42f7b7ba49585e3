"""The callback for skorch: a film of what a net predicts while it is fitted."""

from collections.abc import Callable
from typing import Any, Self

try:
    from skorch.callbacks import Callback
except ModuleNotFoundError as missing:
    name = str(missing.name).partition(".")[0]
    raise ModuleNotFoundError(
        f"FilmCallback for skorch needs {name}: pip install 'fitreel[skorch]'"
    ) from None
import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from fitreel.data.column import Numbers
from fitreel.integrations.filming import EndsWithBlock, Filming
from fitreel.reel.restoring import evaluating

LOSS, VALIDATION = "train_loss", "valid_loss"  # skorch's names


class FilmCallback(EndsWithBlock, Callback):
    """A callback of a net that films each ``fit``.

    skorch reports no exceptions to callbacks: ``with FilmCallback() as callback:`` around ``fit``
    ends the film at once if it raises.
    """

    def __init__(
        self,
        x: Numbers | None = None,
        y: Numbers | None = None,
        *,
        predict: Callable[[Any, NDArray[Any]], Any] | None = None,
        options: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Take the options of ``fitreel.film``; the rows to show are those that the net is given.

        ``x`` and ``y`` are other rows, as for a net that is given a Dataset. ``predict(net, x)``
        is for a net whose ``predict_proba`` does not predict.
        """
        # skorch wants to see all of them as attributes, and to set them: it clones nets.
        self.x, self.y, self.predict = x, y, predict
        self.options = {**(options or {}), **more} if more or options is None else options
        self.filming_ = Filming(self.options)

    def initialize(self) -> Self:
        """Take options that were set after the start."""
        self.filming_ = Filming(self.options)
        return self

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:  # noqa: N803
        """Open the film."""
        rows, targets = (X if self.x is None else self.x), (y if self.y is None else self.y)
        if targets is None:
            raise ValueError("FilmCallback films arrays; the net is given none: give it x and y")
        classes = {"classes": np.unique(targets).tolist()} if is_classifier(net) else {}
        self.filmed_ = len(net.history)
        self.filming_.start(rows, targets, lambda x: self._predictions(net, x), **classes)

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """Film an epoch."""
        self.filmed_ = len(net.history)
        last = net.history[-1]
        metrics = {VALIDATION: last[VALIDATION]} if VALIDATION in last else {}
        self.filming_.frame(
            last["epoch"], last.get(LOSS), lambda x: self._predictions(net, x), metrics
        )

    def on_train_end(self, net: Any, **_: Any) -> None:
        """Close the film: as interrupted if the last epoch was, which skorch does not say."""
        if len(net.history) and LOSS not in net.history[-1]:
            self.filming_.end(KeyboardInterrupt())
        elif len(net.history) > self.filmed_:  # a callback before this one ended the training
            self.on_epoch_end(net)
        self.filming_.end()

    def _predictions(self, net: Any, x: NDArray[Any]) -> Any:
        with evaluating(net.module_):
            return self.predict(net, x) if self.predict else net.predict_proba(x)
