"""Where frames come from, one module a kind; loaded by name."""
