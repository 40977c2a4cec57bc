"""The configuration: its file, what lies over it, and its errors in words."""
