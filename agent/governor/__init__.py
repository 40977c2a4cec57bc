"""Keeps the board within its limits: heat, throttling, memory."""
