"""The supervisor: one loop, and what it keeps beside it."""
