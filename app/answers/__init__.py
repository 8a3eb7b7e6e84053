"""Answers: finished bytes under an identity, kept and made once. flask-caching lives here only."""

from app.answers.answer import Answer, Identity
from app.answers.keeper import Keeper
from app.answers.memory import MemoryCache
from app.answers.sending import Pieces
from app.answers.spool import Spool, Spooled

__all__ = [
    "Answer",
    "Identity",
    "Keeper",
    "MemoryCache",
    "Pieces",
    "Spool",
    "Spooled",
]
