"""Where every dataset comes from: its model versions, its files, and what it was before."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.plugin import Call, Column, Dataset, Endpoint, Member, Stamp, Table, hookimpl

_TEXT, _NUMBER = Member("string"), Member("integer")
_VERSION = {
    "dataset_id": _TEXT,
    "model_version": _TEXT,
    "rows": _NUMBER,
}
_FILE = {
    "path": Member("string", description="Below the dataset's source."),
    "sha256": _TEXT,
    "bytes": _NUMBER,
}
_KEPT = {
    "generation": _NUMBER,
    "committed_at": Member("timestamp"),
    "rows": _NUMBER,
    "versions": Member(members=_VERSION, many=True),
}


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``lineage`` for every dataset."""
    return [
        Endpoint(
            name="lineage",
            path="/lineage",
            answer=lineage,
            summary="What produced it: versions, files, history",
            description=(
                "`versions` has an entry for each dataset_id and model_version, `files` what the "
                "table was loaded from, `history` the kept Generations up to this one."
            ),
            returns=_returns(dataset),
            generic=True,
        )
    ]


def lineage(call: Call) -> Mapping[str, object]:
    """Tell what the dataset's Table is made of, oldest version first, and what it was before."""
    call.stamp = Stamp.of_versions(call.table.versions)
    spans = ("first_generated_at", "last_generated_at", "from", "until")
    return {
        "versions": _versions(call.table, spans),
        "files": [{name: each[name] for name in _FILE} for each in call.table.files],
        "history": [_kept(each) for each in call.history()],
    }


# What `Any` is here: a fact of a kept Generation, whose members have types of their own.
def _kept(fact: Mapping[str, Any]) -> dict[str, object]:
    table: Table = fact["table"]
    when = {name: fact[name] for name in ("generation", "committed_at")}
    return {**when, "rows": table.rows, "versions": _versions(table)}


def _versions(table: Table, others: Sequence[str] = ()) -> list[dict[str, object]]:
    return [
        {
            "dataset_id": str(each["dataset_id"]),
            "model_version": str(each["model_version"]),
            "rows": each["rows"],
            **{name: each[name] for name in others},
        }
        for each in table.versions
    ]


def _returns(dataset: Dataset) -> dict[str, Member]:
    time = dataset.column(dataset.time or "") or Column("", "date")
    version = {
        **_VERSION,
        "first_generated_at": _TEXT,
        "last_generated_at": _TEXT,
        "from": Member(time.type, nullable=True, description="The first time in its rows."),
        "until": Member(time.type, nullable=True, description="The last time in its rows."),
    }
    return {
        "versions": Member(members=version, many=True),
        "files": Member(members=_FILE, many=True),
        "history": Member(members=_KEPT, many=True),
    }
