"""Results on disk: segment files, the cursor, and the only thread that writes them."""
