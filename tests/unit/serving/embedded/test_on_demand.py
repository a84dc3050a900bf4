"""The output that is computed only where it is asked for: what the branch answers, and when."""

import numpy as np
import openvino
import pytest
from openvino import opset13

from serving.embedded.on_demand import CONDITION_NAME, compute_on_demand


def named(node: openvino.Node, name: str) -> openvino.Node:
    node.output(0).set_names({name})
    return opset13.result(node)


def two_outputs() -> openvino.Model:
    """``near`` is x + 1; ``far`` is the mean of (x + 1) * x over each row, times two."""
    x = opset13.parameter([-1, 3], np.float32, name="x")
    x.output(0).set_names({"x"})
    shared = opset13.add(x, opset13.constant(np.float32(1)))
    mean = opset13.reduce_mean(opset13.multiply(shared, x), opset13.constant(np.array([1])))
    far = named(opset13.multiply(mean, opset13.constant(np.float32(2))), "far")
    return openvino.Model([far, named(shared, "near")], [x])


X = np.array([[1, 2, 3], [4, 5, 6]], np.float32)


def run(model: openvino.Model, condition: bool) -> dict[str, np.ndarray]:
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers = compiled({"x": X, CONDITION_NAME: np.array(condition)})
    return {port.get_any_name(): answers[port] for port in compiled.outputs}


def test_asked_for_it_is_what_it_was():
    plain = openvino.compile_model(two_outputs(), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(X)
    answers = run(compute_on_demand(two_outputs(), "far"), True)
    assert list(answers) == ["far", "near"]
    np.testing.assert_allclose(answers["far"], plain["far"])
    np.testing.assert_allclose(answers["far"], 2 * ((X + 1) * X).mean(1), rtol=1e-6)
    np.testing.assert_array_equal(answers["near"], X + 1)


def test_not_asked_for_it_is_not_computed_and_the_other_is():
    answers = run(compute_on_demand(two_outputs(), "far"), False)
    # An answer without rows can come only from the branch that computes nothing.
    assert answers["far"].shape == (0,)
    np.testing.assert_array_equal(answers["near"], X + 1)


def test_all_that_it_alone_needs_lies_in_the_branch():
    model = compute_on_demand(two_outputs(), "far")
    kinds = {node.get_type_name() for node in model.get_ops()}
    assert "If" in kinds
    assert not kinds & {"Multiply", "ReduceMean"}
    assert "Add" in kinds


@pytest.mark.parametrize("name", ["other", "near"])
def test_a_model_without_such_an_output_stays_as_it_is(name: str):
    """``near`` is computed on the way to ``far``, so nothing can be left out."""
    model = two_outputs()
    assert compute_on_demand(model, name) is model


def test_the_only_output_stays_as_it_is():
    x = opset13.parameter([-1, 3], np.float32, name="x")
    model = openvino.Model([named(opset13.relu(x), "far")], [x])
    assert compute_on_demand(model, "far") is model
