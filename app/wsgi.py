"""Entry point for gunicorn."""

from app.bind import refuse_open_bind
from app.factory import create_app
from fleet.logs import configure_logs
from fleet.settings import settings

configure_logs(settings().log_level, settings().log_format, part="api")
refuse_open_bind(settings().bind)
application = create_app(settings())
