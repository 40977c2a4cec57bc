"""What turns tensors into results, one module a task; loaded by name."""
