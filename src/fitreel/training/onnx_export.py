"""The export as ONNX: the network and its scaling, for other runtimes."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fitreel import __version__
from fitreel.checks.files import drafted
from fitreel.settings import ActivationName
from fitreel.training.predictor import Predictor
from fitreel.training.weights import Weights

if TYPE_CHECKING:
    from onnx import ModelProto

# Old enough for runtimes in use, new enough for Softmax over one axis; Gelu came later.
OPSET, IR_VERSION = 17, 8
INPUT = "features"


class Node(NamedTuple):
    """An operator of the graph, the names of what it reads, and the name of its result."""

    operator: str
    inputs: tuple[str, ...]
    output: str


ACTIVATIONS: dict[ActivationName, tuple[Node, ...]] = {
    "relu": (Node("Relu", ("hidden",), "active"),),
    "tanh": (Node("Tanh", ("hidden",), "active"),),
    "sigmoid": (Node("Sigmoid", ("hidden",), "active"),),
    "gelu": (
        Node("Div", ("hidden", "gelu.root"), "gelu.divided"),
        Node("Erf", ("gelu.divided",), "gelu.erf"),
        Node("Add", ("gelu.erf", "gelu.one"), "gelu.share"),
        Node("Mul", ("hidden", "gelu.share"), "gelu.double"),
        Node("Mul", ("gelu.double", "gelu.half"), "active"),
    ),
}
GELU = {"gelu.root": math.sqrt(2), "gelu.one": 1.0, "gelu.half": 0.5}


def write_onnx(predictor: Predictor, path: Path) -> None:
    """Write a network as an ONNX model, completely or not at all.

    The input ``features`` is float32 of the shape (rows, features), in raw units, a column for each
    of ``predictor.schema.features``. The output is ``prediction``, (rows,), in raw units, or for
    classes ``probabilities``, (rows, classes). The metadata has the names, lists as JSON.
    Raises ModuleNotFoundError if onnx is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the format onnx needs {error.name}: pip install 'fitreel[onnx]'"
        ) from None
    model = _model(predictor)
    onnx.checker.check_model(model, full_check=True)
    with drafted(path) as draft, draft.open("xb") as file:
        file.write(model.SerializeToString())


def _model(predictor: Predictor) -> "ModelProto":
    from onnx import TensorProto, helper, numpy_helper

    weights, schema = predictor.weights, predictor.schema
    constants = _constants(weights)
    nodes = [helper.make_node(*each[:2], [each.output]) for each in _nodes(weights)]
    rows: list[str | int] = ["rows"]  # of any number
    name, shape = "prediction", rows
    if weights.is_classifier:
        name, shape = "probabilities", [*rows, weights.shape.outputs]
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "fitreel",
        [helper.make_tensor_value_info(INPUT, floats, [*rows, weights.shape.features])],
        [helper.make_tensor_value_info(name, floats, shape)],
        [numpy_helper.from_array(array, each) for each, array in constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fitreel",
        producer_version=__version__,
    )
    lists = {"features": schema.features, "classes": schema.classes}
    texts = {key: json.dumps(value) for key, value in lists.items()}
    helper.set_model_props(model, {"fitreel": __version__, "target": schema.target, **texts})
    return model


def _nodes(weights: Weights) -> list[Node]:
    """Return the steps from the features to what is predicted, in their order."""
    nodes, inputs = [], INPUT
    if weights.scaling:
        nodes.append(Node("Sub", (INPUT, "input_mean"), "centred"))
        nodes.append(Node("Div", ("centred", "input_deviation"), "scaled"))
        inputs = "scaled"
    nodes += [
        Node("MatMul", (inputs, "input_weight"), "hidden.products"),
        Node("Add", ("hidden.products", "bias"), "hidden"),
        *ACTIVATIONS[weights.activation],
        Node("MatMul", ("active", "output_weight"), "output.products"),
        Node("Add", ("output.products", "output_bias"), "outputs"),
    ]
    if weights.is_classifier:  # Softmax takes the last axis
        return [*nodes, Node("Softmax", ("outputs",), "probabilities")]
    outputs = "outputs"
    if weights.scaling:
        nodes.append(Node("Mul", ("outputs", "target_deviation"), "stretched"))
        nodes.append(Node("Add", ("stretched", "target_mean"), "raw"))
        outputs = "raw"
    return [*nodes, Node("Squeeze", (outputs, "last_axis"), "prediction")]


def _constants(weights: Weights) -> Mapping[str, NDArray[np.generic]]:
    """Return the arrays that the nodes read."""
    tensors = {
        "input_weight": weights.input_weight.mT,
        "bias": weights.bias,
        "output_weight": weights.output_weight.mT,
        "output_bias": weights.output_bias,
    }
    if weights.scaling:
        tensors |= vars(weights.scaling)
    arrays = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
    numbers = {name: np.array(value, np.float32) for name, value in GELU.items()}
    used = {name for node in _nodes(weights) for name in node.inputs}
    every = {**arrays, **numbers, "last_axis": np.array([1], np.int64)}
    return {name: array for name, array in every.items() if name in used}
