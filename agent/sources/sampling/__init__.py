"""Samples of sensors: read, dated, and cut into windows."""
