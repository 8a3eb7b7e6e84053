"""What one worker holds for its whole life, and the front made of it."""

import atexit
import gc
import os
import secrets
from collections.abc import Mapping
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from app.access import Admission, open_keyring
from app.answers import Addresses, Keeper, MemoryCache, Shared, Spool
from app.discovery import Plugins
from app.engine import Desk, Doorstep, EngineLimits, Hands, Queue, Turns
from app.errors import NoGenerationError
from app.generation import (
    Counts,
    CurrentGeneration,
    Generation,
    KeptGenerations,
    Opener,
    Store,
    WorkerMark,
    mark_worker,
)
from app.http import Answering, App, Attempts, Health, Services, build_app
from app.logs import GatheredLines, configure_logs
from app.metrics import Tally
from app.redis import Redis
from app.refresh import Refresher
from app.service.extras import tracing_of
from app.service.front import Front
from app.service.libraries import settle_libraries
from app.service.manners import Manners
from app.settings import DESK_WAITING, DOORSTEP_PLACES, Settings, read_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = structlog.get_logger()

# Of an older shape there may still be requests under way.
_KEPT_APPS = 2
# A collection of the youngest looks through what was kept since too; all requests wait for it.
_COLLECTED_AFTER = 50_000
_LOOK_SECONDS = 0.05
# What a worker has counted since is not told by the others, and is lost when it is killed.
_COUNTS_SECONDS = 1.0
_LONGEST_GOODBYE_SECONDS = 2.0


class Worker:
    """Opens Generations and builds apps for a front; one in each worker process."""

    def __init__(self, settings: Settings) -> None:
        self._mark: WorkerMark = {
            "id": secrets.token_hex(4),
            "pid": os.getpid(),
            "generation": 0,
            "ready": 0,
            "dropped": 0,
            "watches": False,
        }
        self._settings = settings
        self.store = Store.at(settings.state)
        key = self.store.key()
        self.hands = Hands(settings.threads)
        self.doorstep = Doorstep(DOORSTEP_PLACES, self.hands)
        self.desk = Desk(DESK_WAITING, self.hands)
        self._turns = _turns(settings, self.desk, self.doorstep)
        leave = self.desk.leave
        self._redis = Redis(settings.cache, key, leave) if settings.cache else None
        shared = Shared(self._redis, key) if self._redis else None
        self.keeper = Keeper(MemoryCache(settings.cache_bytes), shared, leave)
        self._opener = Opener(self.store, _engine_limits(settings, self.store), self._turns)
        self.tally = Tally()
        self._counts = Counts(self.store, self._mark["id"], self.tally, self._gauges)
        kept = KeptGenerations(self.store, self._opener.open, leave)
        held = (self.keeper, kept, self._counts)
        self.services = _services(settings, held, self.desk)
        self.attempts = self.services.attempts
        self.current = CurrentGeneration(self.store, self._open, self._take, leave)
        self._apps: dict[str, App] = {}
        self._lock = Lock()
        self._telling = Lock()

    def app_for(self, generation: Generation | None) -> App:
        """Give the app of that Generation's shape, built at the first call."""
        shape = "" if generation is None else generation.shape
        app = self._apps.get(shape)
        if app is not None:
            return app
        self.desk.leave()
        # Only who needs this very app waits for it to be built.
        with self._lock:
            app = self._apps.get(shape)
            if app is None:
                datasets = {} if generation is None else generation.datasets
                app = build_app(self.services, datasets)
                self._apps = {**self._apps, shape: app}
            return app

    def watch(self) -> None:
        """Get ready for each Generation that is announced, and take each that is committed.

        Runs beside the requests until the process ends; without it the requests do it.
        """
        self._mark["watches"] = True
        self._tell()
        self._counts.write()
        stop = Event()
        watcher = Thread(target=self._watch, args=(stop,), daemon=True)
        watcher.start()
        atexit.register(self._counts.write)
        # No thread may be inside the engine when the interpreter goes.
        atexit.register(watcher.join, _LONGEST_GOODBYE_SECONDS)
        atexit.register(stop.set)

    def _watch(self, stop: Event) -> None:
        written = monotonic()
        while not stop.wait(_LOOK_SECONDS):
            try:
                if monotonic() - written >= _COUNTS_SECONDS:
                    self._counts.write()
                    written = monotonic()
                ready = self.current.get_ready()
                if ready is not None:
                    self._mark["ready"] = ready.number
                    self._tell()
                self.current.pin()
            except NoGenerationError:
                continue
            except Exception:
                log.exception("generation not ready")

    def _gauges(self) -> dict[str, int]:
        turns = self._turns
        queues: Mapping[str, Desk | Queue] = {
            "desk": self.desk,
            "questions": turns.questions,
            "small": turns.small,
            "exports": turns.exports,
        }
        return {
            "kept_bytes": self.keeper.bytes,
            **{f"{name}_running": queue.running for name, queue in queues.items()},
            **{f"{name}_waiting": queue.waiting for name, queue in queues.items()},
        }

    def _tell(self) -> None:
        with self._telling:
            mark_worker(self.store, self._mark)

    def warm(self) -> None:
        """Open the current Generation before the first request comes.

        Whatever is wrong with it, the worker starts: the request will be told.
        """
        try:
            self.current.pin()
        except NoGenerationError:
            log.info("no generation yet")
        except Exception:
            log.exception("generation not opened")

    def _open(self, name: str) -> Generation:
        """Open a Generation with its app, so that no request finds it half ready."""
        generation = self._opener.open(name)
        self.app_for(generation)
        return generation

    def _take(self, generation: Generation) -> None:
        """Forget the Answers of older Generations, and tell what is served now."""
        # Where an app is just being built, old ones are forgotten the next time.
        if self._lock.acquire(blocking=False):
            kept = {*list(self._apps)[-_KEPT_APPS:], generation.shape}
            older = self._apps.keys() - kept
            self._apps = {shape: app for shape, app in self._apps.items() if shape in kept}
            self._lock.release()
            if older:
                # Apps are full of cycles, and of what is so old the collector never comes to think.
                gc.collect()
        self.services.kept.forget_collected()
        self._mark["dropped"] = self.keeper.drop_older(generation.number)
        self._mark["generation"] = generation.number
        self._mark["ready"] = max(self._mark["ready"], generation.number)
        self._tell()

    def front(self) -> "WSGIApplication":
        """Make the WSGI callable that is its face."""
        settings = self._settings
        # An address costs a tenth of its answer, so it has as much of the room.
        answers = (self.keeper, Addresses(settings.cache_bytes // 10))
        admission = Admission(open_keyring(settings), settings, self._redis)
        entrance = (admission, Manners(settings.cors_origins))
        front, traced = Front(self, entrance, answers), tracing_of(settings)
        return front if traced is None else traced(front)


def make_front(settings: Settings) -> "WSGIApplication":
    """Make the WSGI callable of a worker by itself, for tests and tools."""
    worker = Worker(settings)
    worker.warm()
    return worker.front()


def worker_from_environment() -> Worker:
    """Start a worker by the environment's settings."""
    settings = read_settings(os.environ)
    configure_logs(settings.log_level, lines=GatheredLines)
    settle_libraries()
    # What is imported stays: to look through it again would hold up every request meanwhile.
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER)
    worker = Worker(settings)
    worker.warm()
    worker.watch()
    return worker


def front_from_environment() -> "WSGIApplication":
    """Make the WSGI callable of a worker by the environment's settings."""
    return worker_from_environment().front()


def _engine_limits(settings: Settings, store: Store) -> EngineLimits:
    return EngineLimits(settings.engine_threads, settings.engine_memory, store.spill)


def _turns(settings: Settings, desk: Desk, doorstep: Doorstep) -> Turns:
    running, seconds = settings.queries_running, settings.query_seconds
    questions = Queue(running, settings.queries_waiting, seconds, doorstep)
    small = Queue(running, settings.small_waiting, seconds)
    exports = Queue(settings.exports_running, settings.exports_waiting, doorstep=doorstep)
    return Turns(desk, questions, small, exports, settings.export_seconds)


def _services(
    settings: Settings, held: tuple[Keeper, KeptGenerations, Counts], desk: Desk
) -> Services:
    keeper, kept, counts = held
    store, plugins = counts.store, Plugins(settings.plugins)
    refresher = Refresher(settings, store, plugins)
    answering = Answering(keeper, Spool(store.spool, settings.spool_bytes, desk.leave), store.key())
    health = Health(plugins, refresher, keeper)
    attempts = Attempts(refresher.audit, settings.trusted_proxies)
    return Services(plugins, answering, refresher, health, kept, counts, attempts, desk)
