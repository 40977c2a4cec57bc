"""The unattended and the interactive demonstration: it only starts and watches the product."""
