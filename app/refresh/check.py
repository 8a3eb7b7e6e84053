"""Checks what a refresh would find, on tables loaded aside and thrown away. Changes no Store."""

import tempfile
from pathlib import Path

from app.discovery import Plugins
from app.engine import EngineLimits, load_table
from app.errors import ServiceError
from app.generation import completed_datasets
from app.refresh.build import copied, refused_offers
from app.registry import Registry


def check_data(registry: Registry, plugins: Plugins, limits: EngineLimits) -> list[ServiceError]:
    """Load every served dataset aside and check its endpoints; give what would be refused."""
    errors: list[ServiceError] = []
    tables = {}
    with tempfile.TemporaryDirectory(prefix="assay-check-") as aside:
        for dataset in registry.served.values():
            try:
                loading = copied(registry, dataset, Path(aside), lambda _: None)
                tables[dataset.name] = load_table(loading, Path(aside), limits)
            except ServiceError as error:
                errors.append(error)
    if not errors:
        _, clashes = plugins.offers(completed_datasets(registry, tables))
        errors += [refused_offers(registry, clashes)] if clashes else []
    return errors
