"""One call over a unix socket: a pool child asks, the browser host answers. Knows neither Celery nor Playwright."""
