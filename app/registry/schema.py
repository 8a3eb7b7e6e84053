"""The shape of ``datasets.yaml``: its keys, what each may hold, and what an editor shows for it.

Nothing here looks at two keys at once; that is in ``checks``.
"""

from collections.abc import Mapping

from marshmallow import ValidationError, validates_schema

from app.dataset import PUBLIC
from app.registry.containers import (
    ClosedSchema,
    DatedOrigin,
    Endpoints,
    Many,
    Named,
    Origin,
    Part,
)
from app.registry.fields import (
    MISSING,
    Choice,
    Count,
    Day,
    Flag,
    Only,
    Seconds,
    Share,
    Single,
    Text,
    Version,
)
from app.registry.names import Measure, Name, Order, Visible
from app.registry.paths import Location, RelativePath
from app.registry.types import TYPES


class Status(Choice):
    """How far a dataset is on its way."""

    words = ("active", "draft", "deprecated")


class Failure(Choice):
    """What a refresh does with a dataset that fails its checks."""

    words = ("block", "keep_last")


class ColumnType(Choice):
    """A type that a column can be declared as."""

    words = TYPES


class Period(Choice):
    """A length of time."""

    words = ("minute", "hour", "day")


class SourceSchema(ClosedSchema):
    """Where gold tables come from."""

    location = Location("A folder, absolute or relative to this file.", required=True)
    description = Text("For people.")


class OwnerSchema(ClosedSchema):
    """Whom to ask."""

    name = Text("A person or a team.")
    email = Text("Where to write to.")


class LineageSchema(ClosedSchema):
    """Where each row says what produced it: a column's name, or a constant."""

    dataset_id = Origin("Which data went in.", required=True)
    model_version = Origin("Which model made the row.", required=True)
    generated_at = DatedOrigin("When the row was made.", required=True)
    source = Origin("Which system the row comes from.")


class ColumnSchema(ClosedSchema):
    """One column."""

    type = ColumnType("The file must have this type; left out, it is what the file has.")
    description = Text("For people.")
    unit = Text("Unit of the values, for instance units/day.")
    required = Flag("No row may lack it.", default=False)
    unique = Flag("No value may stand twice.", default=False)
    minimum = Single("No value may be smaller.")
    maximum = Single("No value may be larger.")
    enum = Many(Single(), "The only values there may be.")
    filterable = Flag("Whether rows can be chosen by it.", default=True)


class AgeSchema(ClosedSchema):
    """An age, in dbt's words."""

    count = Count("How many periods.", required=True)
    period = Period("How long one period is.", required=True)


class FreshnessSchema(ClosedSchema):
    """How old the newest row may be."""

    warn_after = Part(AgeSchema, "Older than this, freshness is warn.")
    error_after = Part(AgeSchema, "Older than this, freshness is error.")


class CacheSchema(ClosedSchema):
    """How long the server may keep an answer."""

    max_age = Seconds("Seconds.", default=60)


class RollupSchema(ClosedSchema):
    """Figures that a refresh works out beforehand."""

    by = Many(Visible(), "The columns to group by.", required=True)
    measures = Many(Measure(), "Figures such as count or sum:forecast.", required=True)


class PrepareSchema(ClosedSchema):
    """What a refresh makes ready so that questions are cheap."""

    orders = Many(Many(Order()), "Orders in which rows are read: columns, - for falling.")
    rollups = Many(Part(RollupSchema), "Figures worked out beforehand.")


class DatasetSchema(ClosedSchema):
    """One gold table."""

    title = Text("For people.")
    description = Text("For people.")
    owner = Part(OwnerSchema, "Whom to ask.")
    tags = Many(Name(), "Groups of the catalogue.")
    status = Status("A draft is checked but not served.", default="active")
    deprecated_since = Day("The day, as 2026-01-31; needs status deprecated.")
    source = Name("A name under sources.", required=True)
    path = RelativePath("A file or a glob below the source's location; or give manifest.")
    hive_partitioning = Flag("k=v folders become columns.", default=False)
    manifest = RelativePath("The producer's list of files with their hashes.")
    keys = Many(Visible(), "Columns that identify a row.", required=True)
    time = Visible("The column that orders rows in time.")
    lineage = Part(LineageSchema, "Where each row says what produced it.", required=True)
    columns = Named(Visible(), Part(ColumnSchema), "What columns hold, by their names.")
    freshness = Part(FreshnessSchema, "How old the newest row may be.")
    on_failure = Failure("What a refresh does when a check fails.", default="block")
    max_row_loss = Share("Share of rows that a refresh may drop.", default=1)
    cache = Part(CacheSchema, "How long the server may keep an answer.")
    access = Name("Who may read it: public, or the scope that is needed.", default=PUBLIC)
    engine = Only("duckdb", "Where its queries run.")
    endpoints = Endpoints("Endpoints of plugins: names, or names with options.")
    generic = Flag("Whether the generic endpoints are offered.", default=True)
    strict = Flag("Serve declared columns only.", default=False)
    prepare = Part(PrepareSchema, "What a refresh makes ready.")

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_files(self, _valid: object, original: Mapping[str, object], **_: object) -> None:
        """Refuse a dataset that says neither where its files are nor who lists them."""
        if "path" not in original and "manifest" not in original:
            raise ValidationError({"path": [MISSING]})

    def rule(self) -> dict[str, object]:
        """Give the JSON Schema of this mapping."""
        either = [{"required": ["path"]}, {"required": ["manifest"]}]
        return {**super().rule(), "anyOf": either}


class RegistrySchema(ClosedSchema):
    """The whole file."""

    version = Version("Version of this format.", required=True)
    sources = Named(Name(), Part(SourceSchema), "Where gold tables come from.")
    datasets = Named(Name(), Part(DatasetSchema), "The gold tables.", required=True)


def json_schema() -> dict[str, object]:
    """Give the JSON Schema (2020-12) of the file, with which editors complete and check it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "datasets.yaml",
        "description": "The gold tables that Assay serves.",
        **RegistrySchema().rule(),
    }
