"""One run: the rounds, and the looks that need a target by itself."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.figures import Figures
from tests.benchmarks.footprint import Scale
from tests.benchmarks.front import call
from tests.benchmarks.growth import grow
from tests.benchmarks.place import Place, write_gold
from tests.benchmarks.pressure import press
from tests.benchmarks.renewal import renew
from tests.benchmarks.rounds import Pace, Tell, all_running, checked_cells, play_rounds
from tests.benchmarks.service import NotStartedError, running
from tests.benchmarks.target import ALL, read_target
from tests.benchmarks.workload import NAMED

LOOKS = ("front", "footprint", "pressure", "renewal", "growth")
_WEIGHED = ("assay", "assay_prepared", "roapi")
_GROWN = ("assay", "assay_prepared", "roapi", "naive")


@dataclass(frozen=True, slots=True)
class Run:
    """What is measured: ``parts`` are names of workloads and of looks.

    Gold tables are kept in ``folder``; all else that is written there goes with the run.
    There are ``growth`` times as many items to look at growth.
    Memory is looked at when so many ``clients`` have used it, of whom every worker has its share.
    """

    folder: Path
    peers: Path
    parts: Collection[str] = (*NAMED, *LOOKS)
    targets: Collection[str] = ALL
    items: int = 5_000
    growth: int = 10
    pace: Pace = field(default_factory=Pace)
    clients: int = 16

    def figures(self, tell: Tell) -> Figures:
        """Measure it all."""
        figures = Figures()
        with self._place(self.items) as place:
            self._rounds(place, figures, tell)
            self._looks(place, figures, tell)
            if "growth" in self.parts:
                targets = [read_target(name) for name in _GROWN if name in self.targets]
                with self._place(self.items * self.growth) as grown:
                    places = {"1x": place, f"{self.growth}x": grown}
                    grow(targets, places, self.pace.one, (figures, tell))
        return figures

    @contextmanager
    def _place(self, items: int) -> Iterator[Place]:
        gold = write_gold(self.folder / f"items-{items}", items)
        with TemporaryDirectory(dir=self.folder) as scratch:
            yield Place(gold, items, Path(scratch), self.peers)

    def _rounds(self, place: Place, figures: Figures, tell: Tell) -> None:
        workloads = [workload for name, workload in NAMED.items() if name in self.parts]
        if not workloads:
            return
        targets = [read_target(name) for name in self.targets]
        with all_running(targets, place, figures.notes) as services:
            tell(f"running: {', '.join(service.target.name for service in services)}")
            cells = checked_cells(services, workloads, place.items, figures)
            play_rounds(cells, self.pace, figures, tell)

    def _looks(self, place: Place, figures: Figures, tell: Tell) -> None:
        assay = read_target("assay")
        if "front" in self.parts:
            tell("front")
            with _left_out("the front", figures):
                call(assay, place, figures)
        if "footprint" in self.parts:
            for name in (name for name in _WEIGHED if name in self.targets):
                tell(f"footprint of {name}")
                with _left_out(f"the footprint of {name}", figures):
                    Scale(place, self.clients, self.pace, figures).weigh(read_target(name))
        if "pressure" in self.parts:
            with running(assay, place) as service:
                press(service, place.items, self.pace, figures, tell)
        if "renewal" in self.parts:
            tell("renewal")
            renew(assay, place, self.pace.look, figures)


@contextmanager
def _left_out(what: str, figures: Figures) -> Iterator[None]:
    """Note that there is no such look where its target does not start; the others go on."""
    try:
        yield
    except NotStartedError as error:
        figures.notes.append(f"{what} is left out, {error}")
