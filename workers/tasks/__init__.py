"""The Celery tasks: thin, by name, with ids for arguments. Nothing here imports Playwright."""
