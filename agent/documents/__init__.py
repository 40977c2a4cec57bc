"""Documents that the operator signs for devices, and what a device reports: only read and written here."""
