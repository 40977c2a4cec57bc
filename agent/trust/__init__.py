"""Signatures, certificates, and whose word counts."""
