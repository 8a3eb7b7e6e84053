"""Keys, tokens, scopes and callers: who asks, and what it may."""

from app.access.admission import PROBES, Admission, client_address
from app.access.caller import ADMIN, ANONYMOUS, SCOPES, Caller
from app.access.keyfile import KeyFileError, drop_key, keep_key, parse_keys, read_keys, revoke_key
from app.access.keyring import Keyring
from app.access.keys import KeyRecord, new_key
from app.access.opening import open_keyring

__all__ = [
    "ADMIN",
    "ANONYMOUS",
    "PROBES",
    "SCOPES",
    "Admission",
    "Caller",
    "KeyFileError",
    "KeyRecord",
    "Keyring",
    "client_address",
    "drop_key",
    "keep_key",
    "new_key",
    "open_keyring",
    "parse_keys",
    "read_keys",
    "revoke_key",
]
