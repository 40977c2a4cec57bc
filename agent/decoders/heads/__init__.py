"""The heads of ``detection``: one module a kind of outputs, and what several of them need."""
