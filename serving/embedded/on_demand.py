"""An output that is computed only for requests that ask for it, as TensorFlow does for all outputs.

OpenVINO computes all outputs of a graph. What only one of them needs goes into the branch of an
``If`` here, whose condition is a further input that each run sets.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import openvino
from openvino import opset13

CONDITION_NAME: Final = "covidscan:on_demand"
"""The further input: boolean, no dimensions. No input of a signature is called that."""

Node = Any
"""Of OpenVINO, whose package has no type for mypy."""


def compute_on_demand(model: openvino.Model, name: str) -> openvino.Model:
    """The same model with this output in a branch; takes the graph of the given one.

    Where the branch is not taken, the output has no row. A model without this output, or with no
    other, is returned as it is.
    """
    results = {result.output(0).get_any_name(): result for result in model.results}
    if name not in results or len(results) == 1:
        return model
    needed = _needed_by(result for other, result in results.items() if other != name)
    wanted = results[name].input_value(0)
    branch = [n for key, n in _needed_by([results[name]]).items() if key not in needed]
    feeds = _feeds(branch, needed)
    if wanted.get_node().get_friendly_name() in needed or not feeds:
        return model

    inside, unused = [], []
    for source, readers in feeds:
        inside.append(_parameter_like(source))
        unused.append(_parameter_like(source))
        for reader in readers:
            reader.replace_source_output(inside[-1].output(0))
    taken = opset13.result(wanted)
    shape = [0] * wanted.get_partial_shape().rank.get_length()
    dtype = wanted.get_element_type()
    passed = opset13.result(opset13.constant(np.zeros(shape), dtype))

    condition = opset13.parameter([], openvino.Type.boolean)
    condition.output(0).set_names({CONDITION_NAME})
    either = opset13.if_op(condition.output(0))
    either.set_then_body(openvino.Model([taken], inside, "asked for"))
    either.set_else_body(openvino.Model([passed], unused, "not asked for"))
    for (source, _), used, ignored in zip(feeds, inside, unused, strict=True):
        either.set_input(source, used, ignored)
    output = either.set_output(taken, passed)
    output.set_names({name})
    answers = [
        opset13.result(output) if other == name else result for other, result in results.items()
    ]
    return openvino.Model(answers, [*model.get_parameters(), condition])


def _needed_by(results: Iterable[Node]) -> dict[str, Node]:
    """All nodes that results depend on, by their names, themselves among them."""
    found: dict[str, Node] = {}
    waiting = list(results)
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in found:
            found[node.get_friendly_name()] = node
            waiting += [value.get_node() for value in node.input_values()]
    return found


def _feeds(
    branch: list[Node], needed: dict[str, Node]
) -> list[tuple[openvino.Output, list[openvino.Input]]]:
    """What a branch takes from the rest of the graph, and which of its inputs take it."""
    feeds: dict[tuple[str, int], tuple[openvino.Output, list[openvino.Input]]] = {}
    for node in branch:
        for reader in node.inputs():
            source = reader.get_source_output()
            key = (source.get_node().get_friendly_name(), source.get_index())
            if key[0] in needed:
                feeds.setdefault(key, (source, []))[1].append(reader)
    return list(feeds.values())


def _parameter_like(source: openvino.Output) -> Node:
    return opset13.parameter(source.get_partial_shape(), source.get_element_type())
