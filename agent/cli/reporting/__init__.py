"""What ``edge-agent report`` tells, a file a part; ``agent.cli.report`` prints it."""
