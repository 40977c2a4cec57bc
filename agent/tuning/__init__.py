"""How fast a model runs here, in each way that it can: measured side by side, and the best one chosen."""
