"""The inside of a worker: capture, preprocess, invoke, decode."""
