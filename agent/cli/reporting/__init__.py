"""What report tells, a file a part, and what a bundle of diagnostics holds beside that."""
