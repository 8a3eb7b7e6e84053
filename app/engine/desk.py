"""Where answers are made, one at a time: a worker has one interpreter.

Requests come in at doors. What can be answered at once is answered by the thread that took it. An
answer that would hold it up is begun again at the desk, by a thread that may wait.
"""

from collections.abc import Callable
from threading import get_ident

from app.engine.doors import Doors, InLine
from app.engine.hands import Hands
from app.engine.line import Line


class Desk:
    """The doors of a worker, and the line of those who are answered by one of the ``hands``.

    Threads that neither are at a door nor came from the line are nobody's concern here: a server
    that has threads of its own may use the service without a desk.
    """

    def __init__(self, most: int, hands: Hands) -> None:
        self.doors = Doors()
        self._line = Line(most, hands)

    @property
    def running(self) -> int:
        """Give how many work at the desk."""
        return self._line.running

    @property
    def waiting(self) -> int:
        """Give how many stand in line."""
        return len(self._line)

    @property
    def half_taken(self) -> bool:
        """Tell whether so many stand in line that they are a crowd."""
        return self._line.half_taken

    @property
    def hurried(self) -> bool:
        """Tell whether this thread is at a door."""
        return self.doors.hurried

    def stay(self) -> None:
        """Say that this thread is about to make an answer.

        Raises:
            InLine: it is at a door where others wait already, or another door is at work: what
                keeps one from answering must not keep all.
        """
        doors, line = self.doors, self._line
        if doors.idle:
            if doors.are_crowded():
                line.crowd = True
            if line.crowd or not doors.comes_to_work():
                raise InLine

    def leave(self) -> None:
        """Say that this thread is about to wait for something else, or to work for long.

        Raises:
            Later: it is at a door.
        """
        self.doors.leave()
        self._line.pass_on(get_ident())

    def confirm(self) -> None:
        """Say that this thread has an answer.

        Raises:
            InLine: it was told so before, and whoever it was took no notice.
        """
        self.doors.confirm()

    def put(self, work: Callable[[], object]) -> None:
        """Have an answer made when its turn has come.

        Raises:
            BusyError: too many wait already.
        """
        self._line.put(work)
