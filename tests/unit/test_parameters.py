"""Parameters are read from where they stand, in the path or in the query."""

from app.dataset import Column, Dataset, Lineage
from app.http.parameters import ParameterTable
from app.plugin import Parameter
from app.query import Where


def test_a_filter_that_is_called_like_a_place_of_the_path_is_another_thing():
    columns = (Column("id", "integer"), Column("format", "string"))
    dataset = Dataset("d", "s", "*", ("id",), Lineage("id", "id", "id"), columns=columns)
    place = Parameter("format", choices=("csv", "json"))
    table = ParameterTable((place,), "/rows.{format}", dataset, filters=True)
    asked = table.read({"format": "csv"}, [("format", "json")])
    assert (asked.values["format"], asked.where) == ("csv", (Where("format", "eq", "json"),))
    assert table.read({"format": "csv"}, []).where == ()
