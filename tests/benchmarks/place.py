"""A place: the folders that targets run in, and the gold tables that they run on."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.target import Target

ROOT = Path(__file__).parents[2]
# Where `make bench` puts what is deployed and nothing else.
_DEPLOYED = ROOT / ".venv" / "deployed" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Place:
    """Where targets run: the gold tables, how many items they have, a folder to write to.

    ``peers`` is the folder with the programs that the peers are.
    """

    gold: Path
    items: int
    scratch: Path
    peers: Path

    def values(self, target: Target) -> dict[str, str]:
        """Give what the names in a target's files and words stand for."""
        ports = zip(("port", "port2", "port3"), _free_ports(3), strict=True)
        own = {
            "gold": self.gold.absolute(),
            "scratch": (self.scratch / target.name).absolute(),
            "peers": self.peers.absolute(),
            "python": sys.executable,
            "service": _DEPLOYED if _DEPLOYED.exists() else sys.executable,
            "flapi": os.environ.get("FLAPI", self.peers.absolute() / "flapi"),
        }
        return {name: str(value) for name, value in {**own, **dict(ports), **target.values}.items()}


def write_gold(folder: Path, items: int, seed: int = 7) -> Path:
    """Write gold tables, in a process of their own; the same ones are not written twice."""
    if not (folder / "fact_forecast.parquet").exists():
        words = [sys.executable, "-m", "tests.benchmarks.gold", str(folder.absolute())]
        subprocess.run([*words, "--items", str(items), "--seed", str(seed)], cwd=ROOT, check=True)
    return folder


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
