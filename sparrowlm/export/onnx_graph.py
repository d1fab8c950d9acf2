"""Write a graph of ONNX step by step: every method adds a node and returns the name of its result.

Operators are those of opset 18, which onnxruntime knows since 1.14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DependencyError

OPSET, _IR_VERSION = 18, 8
Array = np.ndarray[Any, np.dtype[Any]]


class OnnxGraph:
    """A graph that grows.

    Raises:
        DependencyError: the package onnx is missing.
    """

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise DependencyError.for_extra("onnx", "onnx") from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: dict[str, Array] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, dtype: type[np.generic], axes: tuple[str | int, ...]) -> str:
        """Declare an input with named or fixed axes."""
        self._inputs.append(self._described(name, dtype, axes))
        return name

    def output(
        self, name: str, value: str, dtype: type[np.generic], axes: tuple[str | int, ...]
    ) -> None:
        """Declare that a value is an output under this name."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._described(name, dtype, axes))

    def constant(self, value: Any, name: str = "") -> str:  # noqa: ANN401 - what NumPy takes
        """Return a constant; whole numbers are 64 bits, others float32 where they are Python's."""
        array = np.asarray(value)
        if not isinstance(value, np.ndarray):
            array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        name = name or f"constant{len(self._constants)}"
        self._constants[name] = array
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """Add a node with one result."""
        return self.several(operator, inputs, 1, **attributes)[0]

    def several(
        self,
        operator: str,
        inputs: Sequence[str],
        count: int,
        **attributes: Any,  # noqa: ANN401 - ONNX's own
    ) -> list[str]:
        """Add a node with several results."""
        names = [f"value{len(self._nodes)}.{number}" for number in range(count)]
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, names, **attributes))
        return names

    def size(self, value: str, axis: int) -> str:
        """Return the length of one axis, as a list of one number."""
        return self.add("Shape", value, start=axis, end=axis + 1)

    def reshaped(self, value: str, *sizes: str | int) -> str:
        """Give a value other axes: numbers (0 keeps one, -1 is what is left) or lists of one."""
        parts = [self.constant([size]) if isinstance(size, int) else size for size in sizes]
        return self.add("Reshape", value, self.add("Concat", *parts, axis=0))

    def save(self, path: Path, metadata: Mapping[str, str]) -> None:
        """Check the graph and write it, atomically.

        Raises:
            ResourceError: disk full or not writable.
        """
        helper, numpy_helper = self._onnx.helper, self._onnx.numpy_helper
        tensors = [numpy_helper.from_array(a, name) for name, a in self._constants.items()]
        graph = helper.make_graph(self._nodes, "sparrow", self._inputs, self._outputs, tensors)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        model.producer_name = "sparrowlm"
        helper.set_model_props(model, dict(metadata))
        self._onnx.checker.check_model(model)
        atomic.write_bytes(path, model.SerializeToString())

    def _described(self, name: str, dtype: type[np.generic], axes: tuple[str | int, ...]) -> Any:  # noqa: ANN401
        helper = self._onnx.helper
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return helper.make_tensor_value_info(name, kind, list(axes))
