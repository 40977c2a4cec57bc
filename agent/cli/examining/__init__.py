"""What check, doctor and probe look at, each part by itself."""
