"""What the environment decides, and how it is written."""

from app.settings.settings import Settings, SettingsError, field_of, read_settings, rules

__all__ = ["Settings", "SettingsError", "field_of", "read_settings", "rules"]
