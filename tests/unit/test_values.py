"""Values of a request are frozen to who checks them, and are as other values else."""

from dataclasses import dataclass, fields, replace

import pytest
from mypy import api

from app.query import Where
from app.values import per_request

SETS = """
from app.query import Where

where = Where("item_id", "eq", 1)
where.value = 2
"""


@per_request
class Quick:
    """A value as a request makes it."""

    name: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Frozen:
    """The same as the interpreter guards it."""

    name: str
    count: int = 0


def test_they_are_made_compared_and_hashed_as_frozen_ones():
    quick, frozen = Quick("a", count=1), Frozen("a", count=1)
    assert [each.name for each in fields(Quick)] == [each.name for each in fields(Frozen)]
    assert hash(quick) == hash(frozen)
    assert quick == Quick("a", 1) != Quick("a")
    assert replace(quick, count=2) == Quick("a", 2)
    assert repr(quick) == repr(frozen).replace("Frozen", "Quick")


def test_they_have_no_other_names_than_their_fields():
    with pytest.raises(AttributeError):
        Where("item_id", "eq", 1).other = 2
    with pytest.raises(AttributeError):
        Quick("a").other = 2


def test_who_sets_a_field_is_refused_when_types_are_checked(tmp_path):
    path = tmp_path / "sets.py"
    path.write_text(SETS)
    told, _, failed = api.run([str(path)])
    assert failed
    assert 'Property "value" defined in "Where" is read-only' in told
