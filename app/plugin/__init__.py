"""The contract: everything a plugin may use, and all that it needs to import.

A plugin is a module in the plugin folder, or behind an ``assay.plugins`` entry point, with
functions marked ``@hookimpl``. It is handed values and gives values back: it never sees the
web framework, the engine or the state of the service.
"""

from app.dataset import Column, Constant, Dataset, Lineage
from app.errors import GenerationGoneError, InvalidParameterError, NotFoundError
from app.plugin.call import Call, Page
from app.plugin.endpoint import (
    COMMON,
    FORMATS,
    PAGE,
    PERIOD,
    Document,
    Endpoint,
    Export,
    Member,
    Parameter,
    picking,
)
from app.plugin.hooks import CONTRACT_VERSION, PluginHooks, hookimpl, hookspec
from app.query import (
    WINDOWS,
    AnyOf,
    Compared,
    Comparison,
    Difference,
    Measure,
    Query,
    Rows,
    Stamp,
    Where,
    Window,
    functions_of,
    is_scalar,
    result_of,
    thin,
    window_number,
    window_start,
)
from app.table import Table, TableColumn

__all__ = [
    "COMMON",
    "CONTRACT_VERSION",
    "FORMATS",
    "PAGE",
    "PERIOD",
    "WINDOWS",
    "AnyOf",
    "Call",
    "Column",
    "Compared",
    "Comparison",
    "Constant",
    "Dataset",
    "Difference",
    "Document",
    "Endpoint",
    "Export",
    "GenerationGoneError",
    "InvalidParameterError",
    "Lineage",
    "Measure",
    "Member",
    "NotFoundError",
    "Page",
    "Parameter",
    "PluginHooks",
    "Query",
    "Rows",
    "Stamp",
    "Table",
    "TableColumn",
    "Where",
    "Window",
    "functions_of",
    "hookimpl",
    "hookspec",
    "is_scalar",
    "picking",
    "result_of",
    "thin",
    "window_number",
    "window_start",
]
