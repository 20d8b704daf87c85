"""The worker node: Celery with its pool, and the browser host that it starts."""
