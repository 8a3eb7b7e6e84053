"""Assay serves gold tables as a documented REST API, every answer stamped with its lineage."""

__version__ = "0.1.0"
