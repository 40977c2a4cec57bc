"""A simulated fleet: control and data planes of many devices, in a few processes; only inference is faked."""
