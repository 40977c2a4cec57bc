"""What check, doctor, probe and diagnose look at, each part by itself."""
