"""Which model a device shall run: what the operator signs for it, and what the device says came of it."""
