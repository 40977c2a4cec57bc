"""Gates say before inference which frames are worth one; one module a kind."""
