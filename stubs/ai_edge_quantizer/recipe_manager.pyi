# The part of the quantizer that edgectl quantize uses.

from typing import Any

class RecipeManager:
    def load_quantization_recipe(self, quantization_recipe: list[dict[str, Any]]) -> None: ...
