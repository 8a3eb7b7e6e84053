"""Finds plugins, checks their hooks, fits what they offer to datasets, contains their failures."""

from app.discovery.offers import Clash, Offer
from app.discovery.plugins import Plugins

__all__ = ["Clash", "Offer", "Plugins"]
