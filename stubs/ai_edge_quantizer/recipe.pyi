# The part of the quantizer that edgectl quantize uses.

from typing import Any

def static_wi8_ai8() -> list[dict[str, Any]]: ...
