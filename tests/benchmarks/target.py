"""A target: a service that can be started on the gold tables, and how to put each workload to it.

``targets/*.yaml`` say it. ``$name`` stands for a value: of the place (``gold``, ``scratch``,
``port`` …), of the target itself, or of a draw (``item``, ``start`` …).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template
from urllib.parse import quote

import yaml

FOLDER = Path(__file__).parent / "targets"
ALL = ("assay", "assay_prepared", "roapi", "datasette", "flapi", "naive")
_LEFT_AS_IT_IS = "/?&=%[]'.,-_:~+*()<>"

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ask:
    """How a workload is put: one HTTP request with places for a draw's values.

    ``form`` is how the rows of the answer are counted, and ``at`` the member that has them.
    """

    path: str
    body: str = ""
    accept: str = ""
    form: str = "json"
    at: str = ""

    def request(self, values: Values) -> bytes:
        """Write the whole request."""
        path = quote(Template(self.path).substitute(values), safe=_LEFT_AS_IT_IS)
        body = Template(self.body).substitute(values)
        lines = [
            f"{'POST' if body else 'GET'} {path} HTTP/1.1",
            "Host: 127.0.0.1",
            *([f"Accept: {self.accept}"] if self.accept else []),
            *([f"Content-Length: {len(body)}"] if body else []),
        ]
        return "\r\n".join([*lines, "", body]).encode()


@dataclass(frozen=True, slots=True)
class Target:
    """What is started, on what, and what it can be asked.

    ``load`` is run before the first start, and its time is the time of loading. ``files`` are
    written before that, below ``$scratch``.
    """

    name: str
    command: Sequence[str]
    ready: str
    asks: Mapping[str, Ask]
    load: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    values: Values = field(default_factory=dict)

    def having(self, **values: object) -> "Target":
        """Give the same target with other values of its own."""
        return replace(self, values={**self.values, **values})


def read_target(name: str) -> Target:
    """Read ``targets/<name>.yaml``; with ``like`` it is another one with other values."""
    told = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    if "like" in told:
        return replace(read_target(told["like"]), name=name).having(**told["values"])
    asks = {
        workload: Ask(form=given.pop("as", "json"), **given)
        for workload, given in told.pop("asks").items()
    }
    return Target(name, asks=asks, **told)
