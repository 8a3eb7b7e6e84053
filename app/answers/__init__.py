"""Answers: finished bytes under an identity, kept and made once. flask-caching lives here only."""

from app.answers.addresses import Addresses, Known
from app.answers.answer import KEPT, Answer, Identity
from app.answers.encoding import ENCODINGS, encoded
from app.answers.keeper import Keeper
from app.answers.memory import MemoryCache
from app.answers.sending import Pieces
from app.answers.shared import Shared
from app.answers.spool import Spool, Spooled

__all__ = [
    "ENCODINGS",
    "KEPT",
    "Addresses",
    "Answer",
    "Identity",
    "Keeper",
    "Known",
    "MemoryCache",
    "Pieces",
    "Shared",
    "Spool",
    "Spooled",
    "encoded",
]
