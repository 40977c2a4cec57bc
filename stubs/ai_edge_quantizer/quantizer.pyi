# The part of the quantizer that edgectl quantize uses.

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

class QuantizationResult:
    quantized_model: bytearray

class Quantizer:
    def __init__(self, float_model: bytearray, quantization_recipe: list[dict[str, Any]]) -> None: ...
    def calibrate(
        self,
        calibration_data: dict[str, Iterable[dict[str, NDArray[np.generic]]]],
        previous_calibration_result: dict[str, Any] | None = None,
        num_threads: int = 16,
    ) -> dict[str, Any]: ...
    def quantize(self, calibration_result: dict[str, Any]) -> QuantizationResult: ...
