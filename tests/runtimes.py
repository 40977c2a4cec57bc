"""The TFLite runtime that the tests run on; ``make test-tflite-runtime`` chooses the second one."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pydantic import BaseModel

CHOSEN = os.environ.get("EDGE_AGENT_TESTS_RUNTIME", "auto")
"""A value of the option ``runtime``; without the variable it is what the agent chooses by itself."""

SECOND = CHOSEN == "tflite-runtime"

needs_tflite_runtime = pytest.mark.skipif(
    importlib.util.find_spec("tflite_runtime") is None,
    reason="tflite-runtime is not installed: make test-tflite-runtime runs this",
)


def options(model: type[BaseModel], **more: Any) -> Any:
    """Make a backend's options: with the chosen runtime, if the backend has runtimes to choose from."""
    if "runtime" in model.model_fields:
        more.setdefault("runtime", CHOSEN)
    return model(**more)
