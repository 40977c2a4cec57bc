"""The edge-agent command: one file a verb, and rooms for what verbs need."""
