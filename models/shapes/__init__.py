"""The shape detector: its data, network, training and bundle."""
