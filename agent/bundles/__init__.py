"""Models on disk: bundles, bare model files, labels."""
