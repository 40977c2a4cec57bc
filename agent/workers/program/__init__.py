"""What the worker program is made of: it loads numpy and runtimes, and the supervisor never does."""
