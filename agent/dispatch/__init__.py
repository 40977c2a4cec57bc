"""Commands on the device: which are taken, in which order they are done, and what becomes of them."""
