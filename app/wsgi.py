"""Entry point for gunicorn."""

from app.factory import create_app
from fleet.settings import settings

application = create_app(settings())
