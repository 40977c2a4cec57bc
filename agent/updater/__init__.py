"""Fetches what the operator has published: metadata, documents, bundles. Proves first, parses then."""
