"""Recordings: frames of a source in one file, with what a model said of each. The format, without arrays."""
