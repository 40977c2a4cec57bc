"""How the devices of a fleet do: what they say of it, proved, and which of them need somebody."""
