"""What init and install write: a first configuration with its schema, and what the service is to be."""
