"""``app`` for any WSGI server, by the settings in the environment."""

from app.service import front_from_environment

app = front_from_environment()
