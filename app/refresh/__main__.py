"""``python -m app.refresh``: the builder's process."""

import os

from app.logs import configure_logs
from app.refresh.builder import be_nice, build_waiting
from app.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(os.environ)
    configure_logs(settings.log_level)
    be_nice()
    build_waiting(settings)
