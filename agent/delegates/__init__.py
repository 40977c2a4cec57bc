"""Delegates: ways to run models on accelerators, one module each; loaded by name."""
