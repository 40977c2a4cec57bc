"""What looks after the processes that read sources for several pipelines."""
