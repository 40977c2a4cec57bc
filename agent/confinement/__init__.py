"""What a process gives up before it touches what nobody vouches for: files, devices, system calls."""
