"""The bundled example site that demonstrations and tests capture."""
