"""``edgectl rollout``: a model to many devices, wave after wave, while somebody watches how they do."""
