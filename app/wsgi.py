"""Entry point for gunicorn."""

from app.factory import create_app
from app.metric_files import metric_files
from app.metrics import ApiCounts
from fleet.logs import configure_logs
from fleet.settings import settings

configure_logs(settings().log_level, settings().log_format, part="api")
application = create_app(settings(), counts=ApiCounts(metric_files()))
