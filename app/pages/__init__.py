"""The dashboard: HTML for people. Pages parse, ask services and render; what they change goes through /api."""
