"""Programs that one of ours starts: how they begin, what they are told, and who watches them."""
