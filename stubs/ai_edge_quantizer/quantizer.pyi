# The part of the quantizer that edgectl quantize uses.

from typing import Any

class QuantizationResult:
    quantized_model: bytearray

class Quantizer:
    def __init__(self, float_model: bytearray, quantization_recipe: list[dict[str, Any]]) -> None: ...
    def quantize(self, calibration_result: dict[str, Any]) -> QuantizationResult: ...
