"""What is said of a board, and which board this is."""
