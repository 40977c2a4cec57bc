"""Filters make events of results, and hold back what nobody needs; one module a kind."""
