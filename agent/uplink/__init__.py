"""The way up: from the store over the link to the collector, and what the device shows to the broker."""
