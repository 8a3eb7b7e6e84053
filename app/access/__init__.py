"""Keys, scopes and callers: who asks, and what it may."""

from app.access.caller import ANONYMOUS, SCOPES, Caller
from app.access.keyfile import KeyFileError, drop_key, keep_key, read_keys
from app.access.keyring import Keyring
from app.access.keys import KeyRecord, new_key

__all__ = [
    "ANONYMOUS",
    "SCOPES",
    "Caller",
    "KeyFileError",
    "KeyRecord",
    "Keyring",
    "drop_key",
    "keep_key",
    "new_key",
    "read_keys",
]
