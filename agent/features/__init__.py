"""Features of windows of samples: pure functions of numpy arrays."""
