"""Making the next Generation: plan, copy, load, verify, commit, record. Knows no HTTP."""

from app.refresh.audit import Audit
from app.refresh.builder import build_waiting
from app.refresh.dryrun import check_data, dry_run
from app.refresh.job import Job, Request
from app.refresh.jobs import Jobs
from app.refresh.outcomes import Outcome
from app.refresh.refresher import Refresher, check_names
from app.refresh.tools import Tools

__all__ = [
    "Audit",
    "Job",
    "Jobs",
    "Outcome",
    "Refresher",
    "Request",
    "Tools",
    "build_waiting",
    "check_data",
    "check_names",
    "dry_run",
]
