"""Generations and the Store that keeps them: manifests, pointer, retention. Knows no sources."""

from app.generation.commit import commit
from app.generation.counts import Counted, Counts, used_bytes
from app.generation.current import CurrentGeneration
from app.generation.generation import Generation
from app.generation.kept import KeptGenerations
from app.generation.manifest import Manifest, manifest_name
from app.generation.opening import Opener, completed_datasets
from app.generation.retention import Retention, collect
from app.generation.store import Store, state_refusal, sync_folder, write_whole
from app.generation.timing import Timing
from app.generation.workers import WorkerMark, mark_worker, worker_marks

__all__ = [
    "Counted",
    "Counts",
    "CurrentGeneration",
    "Generation",
    "KeptGenerations",
    "Manifest",
    "Opener",
    "Retention",
    "Store",
    "Timing",
    "WorkerMark",
    "collect",
    "commit",
    "completed_datasets",
    "manifest_name",
    "mark_worker",
    "state_refusal",
    "sync_folder",
    "used_bytes",
    "worker_marks",
    "write_whole",
]
