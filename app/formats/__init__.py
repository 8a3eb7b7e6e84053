"""Rows to bytes: the one place that decides how a value looks outside."""

from app.formats.json import JSON, json_bytes, plain

__all__ = ["JSON", "json_bytes", "plain"]
