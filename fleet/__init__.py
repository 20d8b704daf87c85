"""What the API and the workers both speak. Imports neither Flask nor Celery nor Playwright."""

__version__ = "0.1.0"
