"""The operator's repository: the keys that sign what a fleet may run, the signed metadata, and the files."""
