"""What the supervisor does about accelerators: their processes, the ladder, incidents."""
