"""What devices shall do once: the operator signs it, sends it, and hears what came of it."""
