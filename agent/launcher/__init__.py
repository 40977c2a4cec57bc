"""Starts programs for a worker that may not: a process that knows which, before the worker is confined."""
