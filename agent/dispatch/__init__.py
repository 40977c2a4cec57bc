"""Commands on the device: who may give them, what is kept, that each is done and answered once."""
