"""What the environment decides, and how it is written."""

from app.settings.settings import (
    DESK_WAITING,
    DOOR_SECONDS,
    DOORS,
    DOORSTEP_PLACES,
    MOST_BODIES,
    SENDERS,
    Settings,
    SettingsError,
    field_of,
    read_settings,
    rules,
)

__all__ = [
    "DESK_WAITING",
    "DOORS",
    "DOORSTEP_PLACES",
    "DOOR_SECONDS",
    "MOST_BODIES",
    "SENDERS",
    "Settings",
    "SettingsError",
    "field_of",
    "read_settings",
    "rules",
]
