"""What this machine is and what its accelerators can do: looked at, then tried in a process of its own."""
