# The part of the quantizer that edgectl quantize uses.

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from ai_edge_quantizer.recipe_manager import RecipeManager
from numpy.typing import NDArray

class Calibrator:
    def __init__(
        self,
        float_tflite: bytearray,
        num_threads: int = 16,
        *,
        qsv_update_func: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] = ...,
    ) -> None: ...
    def calibrate(
        self,
        calibration_dataset: dict[str, Iterable[dict[str, NDArray[np.generic]]]],
        model_recipe_manager: RecipeManager,
    ) -> None: ...
    def get_model_qsvs(self) -> dict[str, Any]: ...
