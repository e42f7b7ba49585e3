"""What a model predicts leaves no trace: a filmed training is the unfilmed one, bit for bit."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DataParallel

from fitreel.reel.predicting import Prober
from fitreel.reel.reel import Reel
from fitreel.reel.restoring import evaluating, same_random_numbers

X = torch.linspace(-1, 1, 40).unsqueeze(1)
Y = X.squeeze(1) ** 2


class Noisy(nn.Module):
    """A layer that draws random numbers of all kinds and counts its calls, in evaluation too."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        noise = torch.randn(1).item() + random.random() + float(np.random.random())
        return x + 0.001 * noise * self.calls


def new_model() -> nn.Sequential:
    torch.manual_seed(3)
    layers = [nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.ReLU(), Noisy()]
    return nn.Sequential(*layers, nn.Linear(8, 1))


def train(model: nn.Sequential, look: Callable[[int, Tensor], None]) -> list[float]:
    """Train with every source of random numbers; return the losses and the last of all draws."""
    torch.manual_seed(5)
    np.random.seed(6)
    random.seed(7)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for epoch in range(30):
        model[2].train(epoch % 7 != 3)  # one part has a mode of its own at times
        rows = torch.randperm(len(X))[: 20 + random.randrange(10)]
        loss = nn.functional.mse_loss(model(X[rows]).squeeze(1), Y[rows])
        look(epoch, loss)  # between the forward and the backward pass, the worst moment
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return [*losses, torch.rand(1).item(), float(np.random.random()), random.random()]


def test_a_filmed_training_is_the_unfilmed_one_bit_for_bit() -> None:
    plain, filmed = new_model(), new_model()
    unfilmed = train(plain, lambda *_: None)
    reel = Reel(X, Y, every=1)
    modes = []

    def look(epoch: int, loss: Tensor) -> None:
        before = [part.training for part in filmed.modules()]
        reel.frame(epoch, loss, filmed)
        modes.append(before == [part.training for part in filmed.modules()])

    assert train(filmed, look) == unfilmed
    assert all(modes)
    assert len(reel.frames) == 30
    for one, other in zip(plain.state_dict().items(), filmed.state_dict().items(), strict=True):
        assert one[0] == other[0]
        assert torch.equal(one[1], other[1]), one[0]
    gradients = zip(plain.parameters(), filmed.parameters(), strict=True)
    for mine, theirs in gradients:
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.equal(mine.grad, theirs.grad)


def test_a_frame_is_what_the_module_predicts_in_evaluation() -> None:
    model = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
    reel = Reel(X, Y)
    reel.frame(0, 1.0, model)
    model.eval()
    with torch.no_grad():
        wanted = model(torch.linspace(-1, 1, 200).unsqueeze(1)).squeeze(1)
    assert np.array_equal(reel.frames[0].predictions, wanted.numpy())


def test_hooks_are_called_and_stay_and_no_gradient_is_computed() -> None:
    model = nn.Linear(1, 1)
    seen = []
    model.register_forward_hook(lambda _, __, output: seen.append(output.requires_grad))
    Prober(X.numpy(), 0).predict(model)
    model(X)
    assert seen == [False, True]


def test_an_error_of_the_model_leaves_everything_as_it_was() -> None:
    class Broken(nn.Module):
        count: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(1))

        def forward(self, _: Tensor) -> Tensor:
            self.count += 1
            torch.rand(1)
            raise RuntimeError("broken")

    model = Broken()
    torch.manual_seed(0)
    with pytest.raises(RuntimeError, match="broken"):
        Prober(X.numpy(), 0).predict(model)
    assert model.training
    assert model.count == 0
    assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(0)))


def test_a_buffer_that_a_module_replaces_is_put_back() -> None:
    class Replacing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("memory", torch.ones(2))

    model = Replacing()
    before = model.memory
    with evaluating(model):
        model.memory = torch.zeros(2)
    assert model.memory is before
    assert torch.equal(before, torch.ones(2))


def test_random_numbers_continue_after_a_look() -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    wanted = torch.rand(2), np.random.random(2), [random.random(), random.random()]
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    first = torch.rand(1), np.random.random(), random.random()
    with same_random_numbers():
        torch.rand(5), np.random.random(5), random.random()
    assert torch.cat([first[0], torch.rand(1)]).equal(wanted[0])
    assert [first[1], np.random.random()] == wanted[1].tolist()
    assert [first[2], random.random()] == wanted[2]


def test_a_module_of_doubles_predicts() -> None:
    assert Prober(X.numpy(), 0).predict(nn.Linear(1, 1).double()).dtype == np.float32


def test_the_wrapper_of_several_devices_is_not_called() -> None:
    class Waiting(DataParallel):  # type: ignore[type-arg]
        def forward(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("it waits for the others")

    model = nn.Linear(1, 1)
    prober = Prober(X.numpy(), 0)
    assert np.array_equal(prober.predict(Waiting(model)), prober.predict(model))


def test_a_model_may_return_the_same_memory_each_time() -> None:
    memory = np.zeros(40, np.float32)
    first = Prober(X.numpy(), 0).predict(lambda _: memory)
    memory += 1
    assert first.tolist() == [0] * 40


@pytest.mark.parametrize("shape", [(3,), (40, 2), (1, 40)])
def test_predictions_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must return 40 predictions.*got shape"):
        Prober(X.numpy(), 0).predict(lambda _: np.zeros(shape))


def test_what_is_no_array_is_refused() -> None:
    with pytest.raises(ValueError, match="must return an array of numbers; got str"):
        Prober(X.numpy(), 0).predict(lambda _: "no")


def predicted(outputs: Any, classes: int, model: type[nn.Module] | None = None) -> NDArray[Any]:
    """Return the probabilities for a model that returns some outputs, as a module or a function."""

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = (model or nn.Identity)()

        def forward(self, _: Tensor) -> Tensor:
            found: Tensor = self.last(torch.tensor(outputs, dtype=torch.float32))
            return found

    prober = Prober(np.zeros((len(outputs), 1), np.float32), classes)
    return prober.predict(Constant() if model else lambda _: np.array(outputs))


def test_the_logits_of_a_module_become_probabilities() -> None:
    found = predicted([[0, 0, np.log(2)], [0, 0, 0]], 3, nn.Identity)
    assert found == pytest.approx(np.array([[0.25, 0.25, 0.5], [1 / 3] * 3]))


def test_probabilities_stay_as_they_are() -> None:
    assert predicted([[0.1, 0.9], [1, 0]], 2).tolist() == pytest.approx(
        np.array([[0.1, 0.9], [1, 0]], np.float32)
    )


def test_a_single_output_of_a_module_is_the_logit_of_the_second_class() -> None:
    assert predicted([0.0, np.log(3)], 2, nn.Identity) == pytest.approx(
        np.array([[0.5, 0.5], [0.25, 0.75]])
    )


def test_after_a_sigmoid_or_of_a_function_it_is_its_probability() -> None:
    assert predicted([0.0, 1e3], 2, nn.Sigmoid) == pytest.approx(np.array([[0.5, 0.5], [0, 1]]))
    assert predicted([[0.3], [1.0]], 2) == pytest.approx(np.array([[0.7, 0.3], [0, 1]]))
    with pytest.raises(ValueError, match="probabilities of the second class"):
        predicted([1.2, 0.0], 2)


def test_classes_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3\), one a class; got shape \(2, 2\)"):
        predicted([[0, 1], [1, 0]], 3)
