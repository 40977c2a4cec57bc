"""The operator side: the edgectl command and the collector."""
