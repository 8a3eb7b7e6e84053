"""What an Export holds, in full, and whether its rows stand together in an index. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from app.dataset import Dataset
from app.query.query import Query
from app.query.stretch import KEYS, Stretch, orders_of, stretch

# As the engine sorts by them and as an index has them is the same.
_TIMES = {"DATE", "TIMESTAMP"}


def settled(query: Query) -> Query:
    """Give the Query of an Export with its lineage columns, in an order that leaves no choice.

    Raises:
        LookupError: it asks for figures.
    """
    if query.measures:
        raise LookupError("an Export holds rows, no figures")
    lineage = [each for each in query.dataset.lineage.columns if each not in query.select]
    named = {name for name, _ in query.order}
    rest = [(key, False) for key in query.dataset.keys if key not in named]
    return replace(
        query,
        select=(*query.select, *lineage) if query.select else (),
        sort=(*query.sort, *rest) if query.sort else (),
    )


def export_stretches(query: Query) -> Iterator[tuple[str, Stretch]]:
    """Give the stretches that hold the rows of an Export, each with the name of its order.

    Raises:
        LookupError: it names a column that the dataset does not serve, or asks for figures.
    """
    query = settled(query)
    orders = orders_of(query.dataset)
    if query.sort:
        found = {name: stretch(query, order) for name, order in orders.items()}
    else:
        found = {KEYS: _in_time(query)}
    yield from ((name, asked) for name, asked in found.items() if asked is not None)


def _in_time(query: Query) -> Stretch | None:
    """Give rows in the Table's own order, which is by time and then by the keys."""
    dataset = query.dataset
    keys = tuple((key, False) for key in dataset.keys)
    asked = stretch(replace(query, sort=keys), orders_of(dataset)[KEYS])
    if asked is None or dataset.time is None:
        return asked
    return replace(asked, time=dataset.stored_name(dataset.time)) if _is_certain(dataset) else None


def _is_certain(dataset: Dataset) -> bool:
    """Tell whether every row has a time, and one that compares everywhere alike."""
    time = dataset.column(dataset.time or "")
    if time is None or time.physical not in _TIMES:
        return False
    return time.required or time.name in {*dataset.keys, *dataset.lineage.columns}
