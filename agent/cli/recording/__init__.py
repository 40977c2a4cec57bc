"""What snapshot, record and replay share: a source, what is taken of it, and a model's answers to that."""
