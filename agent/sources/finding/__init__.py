"""Finds what is plugged in: files of the kernel are read, and hardly anything is ever opened."""
