"""Picture files and bytes, taken apart within bounds."""
