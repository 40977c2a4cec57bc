"""Installs the agent as a service of systemd: units, rules, groups and folders, and takes them away again."""
