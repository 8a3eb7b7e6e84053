"""HTTP by Flask, which lives here only: routes, parameters, problems, documents."""

from app.http.answering import Answering
from app.http.attempts import Attempts
from app.http.build import Services, build_app, document_of
from app.http.dispatch import App
from app.http.health import Health
from app.http.problems import problem_reply
from app.http.visit import AFTER, LONGEST_ADDRESS, REFUSAL, VISIT, Visit

__all__ = [
    "AFTER",
    "LONGEST_ADDRESS",
    "REFUSAL",
    "VISIT",
    "Answering",
    "App",
    "Attempts",
    "Health",
    "Services",
    "Visit",
    "build_app",
    "document_of",
    "problem_reply",
]
