"""The edge-agent command, one file a verb."""
