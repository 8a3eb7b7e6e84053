"""What a refresh works with: the registry's file, the plugins, and what loading may use."""

import os
from dataclasses import dataclass
from pathlib import Path

from app.discovery import Plugins
from app.engine import EngineLimits
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Tools:
    """Made once in a process that plans or builds."""

    registry_file: Path
    plugins: Plugins
    limits: EngineLimits
    index_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "Tools":
        """Give the tools for these settings; copies and spills go into the state directory."""
        limits = EngineLimits(os.cpu_count() or 1, settings.loader_memory, settings.state / "spill")
        plugins = Plugins(settings.plugins)
        return cls(settings.registry, plugins, limits, settings.index_bytes)
