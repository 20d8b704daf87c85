"""Entry point for gunicorn."""

from app.factory import create_app
from app.metric_files import metric_files
from app.metrics import ApiCounts
from fleet.settings import settings

application = create_app(settings(), counts=ApiCounts(metric_files()))
