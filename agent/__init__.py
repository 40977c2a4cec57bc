"""Edge inference agent: quantized models on boards you cannot reach."""

from agent._pydantic import without_plugins

without_plugins()  # before any of our modules makes a model

__version__ = "0.1.0"
BUILT = 1793491200
"""No clock of a device is right that shows less: 2026-11-01, seconds since 1970."""
