"""Draws what the synthetic sources show."""
