"""Plain data as YAML. The reader's counterpart, for documents that are written for people."""

from collections.abc import Mapping

import yaml


def yaml_text(document: Mapping[str, object]) -> str:
    """Write plain data as YAML, in its own order and without aliases."""
    dumper = type("_Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return str(yaml.dump(dict(document), Dumper=dumper, sort_keys=False, allow_unicode=True))
