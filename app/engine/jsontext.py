"""Whether a text is JSON as others read it: the engine takes more for JSON."""

import json


def maybe_no_json(cell: str) -> str:
    """Give what tells the few rows to look at: the engine adds to JSON no more than these."""
    return f"regexp_matches({cell}::VARCHAR, '(?i)nan|inf|,\\s*[]}}]')"


def is_json(text: str) -> bool:
    """Tell whether a text is JSON."""
    try:
        json.loads(text, parse_constant=_no_number)
    except ValueError:
        return False
    return True


def _no_number(word: str) -> object:
    raise ValueError(word)
