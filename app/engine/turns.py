"""The turns that a worker has to give: at its interpreter, and at its engine."""

from dataclasses import dataclass

from app.engine.desk import Desk
from app.engine.queue import Queue


@dataclass(frozen=True, slots=True)
class Turns:
    """The desk, the queues of the engine, and how long an export may take when its turn has come.

    Questions of few rows have ``small``, so that they do not wait for dear ones.
    """

    desk: Desk
    questions: Queue
    small: Queue
    exports: Queue
    export_seconds: float
