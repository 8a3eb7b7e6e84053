"""Which Generation a request reads, the current one or the kept one that it names, and how."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from app.dataset import Constant, Dataset
from app.discovery import Offer
from app.errors import GenerationGoneError
from app.generation import Generation, KeptGenerations, Timing
from app.http.visit import Visit
from app.query import Compared, Comparison, Query, Rows, Stamp
from app.table import Fact, Table
from app.values import per_request


@per_request
class Reading:
    """What a call can ask: a Generation, by its datasets under the names of an offer.

    The ``timing`` gathers what that takes. Others that are ``kept`` can be asked by their number.
    """

    generation: Generation
    dataset: Dataset
    others: Mapping[str, Dataset]
    kept: KeptGenerations
    timing: Timing

    @property
    def table(self) -> Table:
        """Give what is known of the dataset's content."""
        return self.generation.tables[self.dataset.name]

    def run(self, query: Query) -> Rows:
        """Run a Query."""
        return self.generation.run(query, self.timing)

    def stamp(self, query: Query) -> Stamp:
        """Give the lineage of all rows that fit a Query."""
        return self.generation.stamp(query, self.timing)

    def compare(self, comparison: Comparison) -> Compared:
        """Compare the Generation with a kept one."""
        return self.kept.compare(self.generation, comparison, self.timing)

    def history(self) -> Sequence[Fact]:
        """Give what is known of the dataset in each kept Generation, newest first."""
        return self.kept.history(self.dataset.name, self.generation.number)

    def of_kept(self, number: int) -> tuple[Dataset, Table]:
        """Give the dataset with its Table as the kept Generation of that number has them.

        Raises:
            GenerationGoneError: it is not kept, or has no such dataset.
        """
        return _dataset_in(self.kept.open(number), self.dataset.name)


def pin(visit: Visit, kept: KeptGenerations, number: int | None) -> Generation:
    """Have a visit read that Generation from now on; None stays with the current one.

    Raises:
        GenerationGoneError: it is not kept.
    """
    if number is not None and number != visit.generation.number:
        visit.current = kept.open(number)
    return visit.generation


def reading(offer: Offer, visit: Visit, kept: KeptGenerations, number: int | None) -> Reading:
    """Have a visit read the Generation of that number, and give what an offer reads in it.

    Raises:
        NoGenerationError: none has been made yet.
        GenerationGoneError: it is not kept, a dataset is not in it, or has other columns.
    """
    current, own = visit.generation, offer.dataset
    pinned = pin(visit, kept, number)
    if pinned is not current:
        for name in (own.name, *offer.others.values()):
            _check_alike(name, current, pinned)
        own = _renamed(pinned.datasets[own.name], tuple(offer.columns.items()))
    others = {option: pinned.datasets[name] for option, name in offer.others.items()}
    return Reading(pinned, own, others, kept, visit.timing)


def _dataset_in(generation: Generation, name: str) -> tuple[Dataset, Table]:
    """Give a dataset with its Table, as a kept Generation has them.

    Raises:
        GenerationGoneError: it has no such dataset.
    """
    if name not in generation.datasets:
        raise _differing(name, generation, "is not in")
    return generation.datasets[name], generation.tables[name]


def _check_alike(name: str, current: Generation, pinned: Generation) -> None:
    known, _ = _dataset_in(pinned, name)
    if _columns(known) != _columns(current.datasets[name]):
        raise _differing(name, pinned, "has other columns in")


def _differing(name: str, generation: Generation, told: str) -> GenerationGoneError:
    number = generation.number
    message = f"{name} {told} Generation {number}."
    return GenerationGoneError(message, generation=number, dataset=name)


def _columns(dataset: Dataset) -> tuple[object, ...]:
    columns = {column.name: column.type for column in dataset.columns}
    return dataset.keys, dataset.time, dataset.lineage, columns


@lru_cache(maxsize=64)
def _renamed(dataset: Dataset, names: tuple[tuple[str, str | Constant], ...]) -> Dataset:
    """Give the same Dataset again for the same names: Statements are kept by it."""
    return dataset.renamed(dict(names))
