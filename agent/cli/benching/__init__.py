"""What bench keeps, and what it prints."""
