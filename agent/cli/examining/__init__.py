"""What check, doctor and diagnose look at, each part by itself."""
