"""What status and model print of one matter."""
