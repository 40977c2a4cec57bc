"""A process that opens one source for several pipelines, and the way from there to their workers."""
