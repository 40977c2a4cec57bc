"""Worker processes: spawn, messages, heartbeat, deadlines, and the program itself."""
