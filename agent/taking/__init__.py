"""Taking frames of a source into a recording, in a process of its own that may crash or hang."""
