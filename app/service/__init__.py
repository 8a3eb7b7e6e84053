"""The WSGI front and the worker that it is the face of."""

from app.service.worker import Worker, front_from_environment, make_front

__all__ = ["Worker", "front_from_environment", "make_front"]
