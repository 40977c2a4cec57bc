"""How the agent stands to standards of security: a table each, from which pages and reports are made."""
