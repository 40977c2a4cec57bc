"""Edge inference agent: quantized models on boards you cannot reach."""

__version__ = "0.1.0"
