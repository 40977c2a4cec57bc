"""The process that owns an accelerator, and how a pipeline's worker has its frames inferred there."""
