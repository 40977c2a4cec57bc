"""The glyph classifier: its data, network, training and bundle."""
