"""Brings each pipeline to the model that the operator wants, or keeps it at the one that works."""
