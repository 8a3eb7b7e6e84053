"""The endpoint ``compare``, called without HTTP on real Tables."""

from datetime import date

import pytest

from app.dataset import Constant, Lineage
from app.discovery import Plugins
from app.engine import compare_engines
from app.plugin import Call, GenerationGoneError, InvalidParameterError, NotFoundError
from app.query import compare
from tests.conftest import ROOT

DATED = Lineage(Constant("run"), "version", "made", "system")
ROWS = {
    "k": [1, 2, 2],
    "version": ["v1", "v1", "v2"],
    "made": [date(2026, 1, day) for day in (1, 1, 2)],
    "system": ["x", "x", "y"],
    "x": [1.0, 2.0, 2.5],
    "note": ["a", "b", "b"],
}


@pytest.fixture
def use(bench):
    """Asks ``compare`` of a Table, beside kept ones by number; gives the body and the Call."""

    def used(loaded, kept=(), **asked):
        dataset, table = loaded
        engine, others = bench.engine(loaded), dict(enumerate(kept, 1))

        def run(comparison):
            if comparison.generation is None:
                return compare(comparison, engine.run)
            other = bench.engine(others[comparison.generation])
            return compare_engines(comparison, (other, engine))

        (offer,) = (
            each
            for each in Plugins(ROOT / "plugins").offers({dataset.name: dataset})[0]
            if each.endpoint.name == "compare"
        )
        values = {each.name: each.default for each in offer.endpoint.parameters} | asked
        call = Call(dataset, values, {}, engine.run, table=table, comparer=run)
        call.kept = others.__getitem__
        return offer.endpoint.answer(call), call

    return used


@pytest.fixture
def forecasts(bench):
    """Loads columns as the dataset whose keys hold the model version."""

    def load(**columns):
        dataset = bench.dataset(keys=("k", "version"), lineage=DATED)
        return bench.load({**ROWS, **columns}, dataset=dataset)

    return load


def test_two_model_versions_are_matched_by_the_other_keys(use, forecasts):
    body, call = use(forecasts(), a="v1", b="v2")
    counts = [body[name] for name in ("only_a", "only_b", "different", "same")]
    assert counts == [1, 0, 1, 0]
    assert body["columns"] == {
        "x": {"different": 1, "mean_difference": 0.5, "max_difference": 0.5},
        "note": {"different": 0},
    }
    assert body["data"] == [
        {"k": 1, "a": {"x": 1.0, "note": "a"}, "b": None},
        {"k": 2, "a": {"x": 2.0, "note": "b"}, "b": {"x": 2.5, "note": "b"}},
    ]
    assert (call.stamp.model_version, call.stamp.model_versions) == ("v2", ("v1", "v2"))


def test_a_new_run_with_equal_values_differs_in_nothing(use, forecasts):
    again = forecasts(made=[date(2027, 1, 1)] * 3, system=["z"] * 3)
    body, _ = use(again, [forecasts()], **{"with": "generation:1"})
    assert (body["different"], body["same"], body["data"]) == (0, 3, [])


def test_a_generation_is_compared_with_one_that_has_the_very_same_table(use, forecasts):
    body, _ = use(forecasts(), [forecasts()], **{"with": "generation:1"})
    assert (body["only_a"], body["same"]) == (0, 3)


def test_what_only_one_side_has_as_this_type_is_not_compared(use, forecasts):
    before = forecasts(x=["1", "2", "3"], gone=[1, 2, 3])
    body, _ = use(forecasts(new=[1, 2, 3]), [before], **{"with": "generation:1"})
    assert list(body["columns"]) == ["note"]


def test_a_page_says_where_the_next_one_begins(use, forecasts):
    moved = forecasts(x=[9.0, 9.0, 9.0])
    body, call = use(moved, [forecasts()], limit=2, **{"with": "generation:1"})
    assert ([row["k"] for row in body["data"]], body["next"]) == ([1, 2], "(2,)")
    assert call.next == body["next"]


def test_a_key_that_is_called_like_a_side_is_still_told(use, bench):
    columns = {"a": [1], "b": [2], "x": [1]}
    loaded, old = (
        bench.load({**columns, "x": [x]}, dataset=bench.dataset(keys=("a", "b"))) for x in (1, 2)
    )
    body, _ = use(loaded, [old], **{"with": "generation:1"})
    assert body["data"] == [{"a__key": 1, "b__key": 2, "a": {"x": 2}, "b": {"x": 1}}]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"a": "v1"},
        {"with": "generation:1", "a": "v1", "b": "v2"},
        {"with": "generation:1", "b": "v2"},
        {"with": "generation:"},
        {"with": "generation:0"},
        {"with": "v1"},
    ],
)
def test_two_sides_have_to_be_named_in_one_way(use, forecasts, asked):
    with pytest.raises(InvalidParameterError) as refused:
        use(forecasts(), [forecasts()], **asked)
    assert refused.value.facts["errors"][0]["parameter"] == "with"


def test_a_model_version_that_no_row_has_is_not_found_and_the_nearest_is_named(use, forecasts):
    with pytest.raises(NotFoundError, match="Did you mean 'v2'"):
        use(forecasts(), a="v1", b="v22")


def test_a_model_version_by_declaration_cannot_be_compared(use, bench):
    with pytest.raises(InvalidParameterError, match="one model version"):
        use(bench.load({"k": [1]}), a="none", b="none")


def test_keys_that_changed_cannot_be_compared(use, forecasts, bench):
    dataset = bench.dataset(keys=("version", "k"), lineage=DATED)
    loaded, retyped = bench.load(ROWS, dataset=dataset), forecasts(k=["1", "2", "2"])
    for other in (loaded, retyped):
        with pytest.raises(GenerationGoneError, match="keys"):
            use(forecasts(), [other], **{"with": "generation:1"})
