"""The device that a command is about: its configuration, folders, service and models, and the agent there."""
