"""Performance claims, each a program: ours and what a user would pick otherwise, interleaved in one run."""
