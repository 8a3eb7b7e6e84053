"""Names and texts as SQL, for the few statements that are not compiled from a Query."""


def quoted_name(name: str) -> str:
    """Give an identifier as SQL."""
    return '"' + name.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """Give a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
