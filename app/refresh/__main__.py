"""``python -m app.refresh``: the builder's process, or with ``dry-run`` that of a dry run."""

import os
import sys

from app.logs import configure_logs
from app.refresh.builder import be_nice, build_waiting, dry_run_here
from app.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(os.environ)
    configure_logs(settings.log_level)
    be_nice()
    if sys.argv[1:] == ["dry-run"]:
        sys.stdout.buffer.write(dry_run_here(settings, sys.stdin.buffer.read()))
    else:
        build_waiting(settings)
