# The part of the runtime's Python interface that the agent uses.

from collections.abc import Sequence
from enum import Enum
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

class QuantizationParameters(TypedDict):
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int32]
    quantized_dimension: int

class TensorDetails(TypedDict):
    name: str
    index: int
    shape: NDArray[np.int32]
    shape_signature: NDArray[np.int32]
    dtype: type[np.generic]
    quantization_parameters: QuantizationParameters

class OpDetails(TypedDict):
    index: int
    op_name: str
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]

class OpResolverType(Enum):
    AUTO = 0
    BUILTIN = 1
    BUILTIN_REF = 2
    BUILTIN_WITHOUT_DEFAULT_DELEGATES = 3

class Delegate: ...

def load_delegate(library: str, options: dict[str, Any] | None = None) -> Delegate: ...

class Interpreter:
    def __init__(
        self,
        model_path: str | None = None,
        model_content: bytes | None = None,
        experimental_delegates: Sequence[Delegate] | None = None,
        num_threads: int | None = None,
        experimental_op_resolver_type: OpResolverType = ...,
        experimental_preserve_all_tensors: bool = False,
    ) -> None: ...
    def allocate_tensors(self) -> None: ...
    def get_input_details(self) -> list[TensorDetails]: ...
    def get_output_details(self) -> list[TensorDetails]: ...
    def get_signature_list(self) -> dict[str, dict[str, list[str]]]: ...
    def get_tensor_details(self) -> list[TensorDetails]: ...
    def set_tensor(self, tensor_index: int, value: NDArray[Any]) -> None: ...
    def get_tensor(self, tensor_index: int, subgraph_index: int = 0) -> NDArray[Any]: ...
    def invoke(self) -> None: ...
    def reset_all_variables(self) -> None: ...
    def _get_ops_details(self) -> list[OpDetails]: ...
    def _get_full_signature_list(self) -> dict[str, dict[str, dict[str, int]]]: ...
