# The part of the quantizer that edgectl quantize uses.

from typing import Any

def min_max_update(qsv: dict[str, Any], new_qsv: dict[str, Any]) -> dict[str, Any]: ...
