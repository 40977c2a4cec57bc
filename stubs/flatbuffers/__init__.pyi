# flatbuffers annotates nothing; only what writes models uses it.
from typing import Any

def __getattr__(name: str) -> Any: ...
