"""Snapshots and clips of events, made in the worker of what privacy has left of a frame."""
