"""Cameras of Video4Linux: found, asked, and read."""
