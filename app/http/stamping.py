"""Lineage on an answer: its ``metadata``, its headers, and what the log says of it."""

from functools import lru_cache
from urllib.parse import quote

from app.dataset import Dataset
from app.generation import Generation
from app.query import Stamp


def metadata(
    generation: Generation, dataset: Dataset, stamp: Stamp, freshness: str
) -> dict[str, object]:
    """Give the ``metadata`` of an answer about a dataset of that freshness."""
    told: dict[str, object] = {
        "dataset": dataset.name,
        "dataset_id": stamp.dataset_id,
        "model_version": stamp.model_version,
        "generated_at": stamp.generated_at,
        "generation": generation.number,
        "freshness": freshness,
    }
    if dataset.name in generation.degraded:
        told["degraded"] = generation.degraded[dataset.name]["reason"]
    if len(stamp.model_versions) > 1:
        told["model_versions"] = stamp.model_versions
    return told


def lineage_headers(stamp: Stamp) -> dict[str, str]:
    """Give the headers that repeat the lineage, percent-encoded; none where it is null."""
    headers = {"X-Dataset-Id": stamp.dataset_id, "X-Model-Version": stamp.model_version}
    return {name: _quoted(value) for name, value in headers.items() if value is not None}


# All rows of a producer's run say the same.
@lru_cache(maxsize=256)
def _quoted(value: str) -> str:
    return quote(value, safe="")


def told_of(dataset: Dataset, stamp: Stamp) -> dict[str, object]:
    """Give what the log line of a request repeats."""
    return {
        "dataset": dataset.name,
        "dataset_id": stamp.dataset_id,
        "model_version": stamp.model_version,
    }
