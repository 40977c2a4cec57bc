# jax only trains the bundled models: checking their types must not need it to be installed.
from typing import Any

def __getattr__(name: str) -> Any: ...
