"""Who may reach the broker, and what for: the fleet's certificates, its access list, its devices' bundles."""
