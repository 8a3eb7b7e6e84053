"""The rounds: every workload is put to every target in turn, so that a bad moment meets all.

A machine that others share may be slow for seconds: in each round one client asks each target
several times for a part of a second, and not once for all of it; and so do many.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from statistics import median

from tests.benchmarks.connection import Connection, latency, waits
from tests.benchmarks.figures import Figures
from tests.benchmarks.load import Rate, enough, put_load, wrk
from tests.benchmarks.place import Place
from tests.benchmarks.rows import count_rows
from tests.benchmarks.service import NotStartedError, Service, running
from tests.benchmarks.target import Target
from tests.benchmarks.workload import Workload, draws

Tell = Callable[[str], None]

_TURNS = 5
_TURNS_OF_MANY = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rounds and starts there are; the seconds of one client, of many, and of a look.

    Those of many are those of one turn.

    Memory is looked at again when it has ``settled`` for so many seconds after work.
    """

    rounds: int = 3
    one: float = 1.5
    many: int = 2
    look: float = 8.0
    starts: int = 5
    settled: float = 5.0


@dataclass(slots=True, eq=False)
class Cell:
    """A workload and a service it is put to; its values are drawn once, for all rounds.

    ``took`` are the milliseconds of each answer to one client in this round, ``rates`` what many
    got in each turn of it.
    """

    workload: Workload
    service: Service
    requests: Iterator[bytes]
    took: list[float] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)

    def ask(self, pace: Pace, turn: int) -> None:
        """Have one client ask in a turn, unless those before took as long as with this one.

        Raises:
            RuntimeError: an answer was no success.
        """
        seconds, different = pace.one / _TURNS, self.workload.different
        if sum(self.took) > turn * seconds * 1000:
            return
        most = different // pace.rounds // _TURNS if different else None
        self.took += waits(self.service.port, islice(self.requests, most), seconds)

    def load(self, pace: Pace) -> None:
        """Have many clients ask in a turn, if this workload is rated.

        Raises:
            RuntimeError: an answer was no success.
        """
        if not self.workload.rated:
            return
        p50 = latency(self.took).p50_ms
        count = enough(p50, pace.many) if self.workload.different else 1
        self.rates.append(put_load(self.service, list(islice(self.requests, count)), pace.many))

    def sum_up(self) -> dict[str, float]:
        """Give what one client waited in a round, and what many got."""
        found = asdict(latency(self.took))
        if self.rates:
            found["per_second"] = median(rate.per_second for rate in self.rates)
            found["cpu_us"] = median(rate.cpu_us for rate in self.rates)
        self.took, self.rates = [], []
        return found


@contextmanager
def all_running(
    targets: Sequence[Target], place: Place, notes: list[str]
) -> Iterator[list[Service]]:
    """Have all targets run; one that does not start is noted and left out."""
    with ExitStack() as stack:
        services = []
        for target in targets:
            try:
                services.append(stack.enter_context(running(target, place)))
            except NotStartedError as error:
                notes.append(f"{target.name} is left out, {error}")
        yield services


def play_rounds(cells: Sequence[Cell], pace: Pace, figures: Figures, tell: Tell) -> None:
    """Play all rounds; a cell that is refused is noted, and left out from then on."""
    playing = list(cells)
    for number in range(1, pace.rounds + 1):
        tell(f"round {number}")
        for workload in dict.fromkeys(cell.workload for cell in cells):
            for turn in range(_TURNS):
                for cell in [cell for cell in playing if cell.workload == workload]:
                    with _may_break_off(cell, playing, figures.notes):
                        cell.ask(pace, turn)
        for _ in range(_TURNS_OF_MANY if pace.many and wrk() else 0):
            for cell in list(playing):
                with _may_break_off(cell, playing, figures.notes):
                    cell.load(pace)
        for cell in playing:
            measured = cell.sum_up()
            workload, target = cell.workload.name, cell.service.target.name
            figures.add(workload, target, **measured)
            told = ", ".join(f"{name} {value:.4g}" for name, value in measured.items())
            tell(f"{workload}, {target}: {told}")


@contextmanager
def _may_break_off(cell: Cell, playing: list[Cell], notes: list[str]) -> Iterator[None]:
    """Note that a service refused, and have its cell play no more."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        playing.remove(cell)
        notes.append(f"{cell.service.target.name} broke off {cell.workload.name}: {error}.")


def checked_cells(
    services: Sequence[Service], workloads: Sequence[Workload], items: int, figures: Figures
) -> list[Cell]:
    """Give the cells whose answers have as many rows as they should; the others are noted."""
    cells = []
    for workload in workloads:
        for service in services:
            ask = service.target.asks.get(workload.name)
            if ask is None:
                continue
            requests = map(ask.request, draws(workload, items))
            with Connection(service.port) as connection:
                reply = connection.ask(next(requests))
            rows = count_rows(ask, reply.body) if reply.status == 200 else 0
            if rows == workload.rows:
                cells.append(Cell(workload, service, requests))
                continue
            told = f"it answers {reply.status} with {rows} rows, not {workload.rows}"
            figures.notes.append(f"{service.target.name} is left out of {workload.name}: {told}.")
    return cells
