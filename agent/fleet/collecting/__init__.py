"""The collector: batches of a fleet come in, are stored once, acknowledged, and become rows in a database."""
