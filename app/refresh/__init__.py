"""Making the next Generation: plan, copy, load, verify, commit, record. Knows no HTTP."""

from app.refresh.builder import build_waiting
from app.refresh.check import check_data
from app.refresh.job import Job, Jobs, Request
from app.refresh.refresher import Refresher
from app.refresh.sources import find_files

__all__ = ["Job", "Jobs", "Refresher", "Request", "build_waiting", "check_data", "find_files"]
