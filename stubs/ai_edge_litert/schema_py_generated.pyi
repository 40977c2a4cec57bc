# The classes that the FlatBuffers compiler makes of TFLite's schema; it annotates none of them.
from typing import Any

def __getattr__(name: str) -> Any: ...
