"""What the environment decides, and how it is written."""

from app.settings.settings import (
    DESK_WAITING,
    DOORSTEP_PLACES,
    Settings,
    SettingsError,
    field_of,
    read_settings,
    rules,
)

__all__ = [
    "DESK_WAITING",
    "DOORSTEP_PLACES",
    "Settings",
    "SettingsError",
    "field_of",
    "read_settings",
    "rules",
]
