"""What runs a model, one module a runtime; loaded by name."""
