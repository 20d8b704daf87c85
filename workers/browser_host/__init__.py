"""The one process of a worker that owns Chrome. Knows nothing of Celery."""
