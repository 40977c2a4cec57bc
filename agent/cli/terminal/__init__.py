"""How a command line is read, and how its answer is printed."""
