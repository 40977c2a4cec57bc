"""What an operator can have a device do: a module a command, which ``agent.dispatch`` runs."""
