"""The bundled model that hears when the synthetic sensor's machine begins to shake."""
