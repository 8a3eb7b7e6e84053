"""Finding plugins: what they offer, and that one that fails harms nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.dataset import Column, Constant, Dataset, Lineage
from app.discovery import Plugins

ROOT = Path(__file__).parents[2]
HEAD = "from app.plugin import *\n"
PLUGIN = """\
from app.plugin import Constant, Endpoint, hookimpl

@hookimpl
def endpoints(dataset):
    return [Endpoint("{name}", "{path}", dict, "One", columns={columns}, reads={reads})]
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def write(folder):
    """Writes a plugin: its whole text, or what its one endpoint has."""

    def plugin(file="one", text=None, **fields):
        given = {"name": file, "path": f"/{file}", "columns": {}, "reads": (), **fields}
        (folder / f"{file}.py").write_text(PLUGIN.format(**given) if text is None else text)

    return plugin


@pytest.fixture
def offers(folder):
    """What datasets offer: each endpoint's name by its options, or a Dataset."""

    def found(datasets=None, **endpoints):
        given = datasets or {"sales": dataset(endpoints=endpoints)}
        return Plugins(folder).offers(given)

    return found


def dataset(name="sales", **fields):
    lineage = Lineage(Constant("run"), Constant("none"), Constant("2026-01-01"))
    columns = tuple(Column(each, type="integer", stored=each) for each in ("k", "qty", "price"))
    return Dataset(name, "gold", "*", ("k",), lineage, **{"columns": columns, **fields})


def messages(clashes):
    return [f"{each.dataset}.{each.endpoint}: {each.message}" for each in clashes]


FAULTS = {
    "misspelt": (HEAD + "@hookimpl\ndef endpoint(dataset): return []", "unknown hook 'endpoint'"),
    "unmarked": ("def endpoints(dataset): return []", "it has no function marked @hookimpl"),
    "empty": ("", "it has no function marked @hookimpl"),
    "argument": (HEAD + "@hookimpl\ndef endpoints(app): return []", "app"),
    "import": ("import nothing_like_it", "failed while it was imported"),
    "syntax": ("def endpoints(:", "failed while it was imported"),
    "raises": ("raise RuntimeError('secret')", "failed while it was imported"),
    "exits": ("import sys; sys.exit(3)", "failed while it was imported"),
    "nul": ("\0", "failed while it was imported"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plugin_that_cannot_be_used_is_left_out_and_told(folder, write, fault):
    text, told = FAULTS[fault]
    write("a_broken", text)
    write("one")
    write("z_broken", text)
    plugins = Plugins(folder)
    assert plugins.failures.keys() == {"a_broken", "z_broken"}
    assert told in plugins.failures["a_broken"]
    assert "secret" not in plugins.failures["a_broken"]
    offers, clashes = plugins.offers({"sales": dataset(endpoints={"one": {}})})
    assert ([offer.plugin for offer in offers], clashes) == (["one"], [])


JUNK = {
    "raises": "raise RuntimeError('secret')",
    "nothing": "return None",
    "text": "return 'endpoints'",
    "one": "return Endpoint('bad', '/bad', print, 'x')",
    "mixed": "return [Endpoint('bad', '/bad', print, 'x'), 7]",
    "generator": "yield Endpoint('bad', '/bad', print, 'x')",
}


@pytest.mark.parametrize("junk", JUNK)
def test_a_plugin_that_brings_no_endpoints_when_asked_is_told_and_left_out(folder, write, junk):
    write("bad", HEAD + f"@hookimpl\ndef endpoints(dataset): {JUNK[junk]}")
    write("one")
    plugins = Plugins(folder)
    assert plugins.failures == {}
    offers, clashes = plugins.offers({"sales": dataset(endpoints={"one": {}, "bad": {}})})
    assert ([offer.plugin for offer in offers], clashes) == (["one"], [])
    assert plugins.failures == {"bad": "failed while it was used"}


def test_a_plugin_may_ask_for_nothing_and_offer_nothing(folder, write, offers):
    write("quiet", HEAD + "@hookimpl\ndef endpoints(): return ()")
    assert offers() == ([], [])
    assert Plugins(folder).failures == {}


def test_what_begins_with_an_underscore_or_is_no_module_is_no_plugin(folder, write):
    write("_helper", "raise RuntimeError")
    write("__init__", "raise RuntimeError")
    (folder / "notes.txt").write_text("raise RuntimeError")
    assert Plugins(folder).failures == {}


def test_a_folder_that_is_missing_has_no_plugins(folder):
    assert Plugins(folder / "missing").offers({"sales": dataset()}) == ([], [])


def test_an_endpoint_is_offered_where_the_registry_names_it(write, offers):
    write("one", columns={"id": "k"}, path="/one/{id}")
    write("two")
    ((offer,), clashes) = offers(one={})
    assert clashes == []
    assert (offer.plugin, offer.endpoint.name, offer.path) == ("one", "one", "/one/{id}")
    assert (offer.dataset.keys, offer.dataset.columns[0].stored) == (("id",), "k")
    assert offer.others == {}


def test_a_path_and_columns_of_the_registry_replace_the_plugins_own(write, offers):
    write("one", columns={"id": "k", "value": "amount"})
    ((offer,), _) = offers(one={"path": "/mine", "columns": {"value": "qty"}})
    assert offer.path == "/mine"
    assert [(each.name, each.stored) for each in offer.dataset.columns] == [
        *(("id", "k"), ("value", "qty"), ("price", "price")),
    ]


def test_a_dataset_that_an_endpoint_reads_is_named_by_its_option(write, offers):
    write("one", reads=("items", "prices"))
    ((offer,), _) = offers({
        "sales": dataset(endpoints={"one": {"items": "parts"}}), "parts": dataset("parts"),
    })  # fmt: skip
    assert offer.others == {"items": "parts"}


CLASHES = [
    ({"oen": {}}, "oen: no plugin offers it; did you mean 'one'?"),
    ({"zzz": {}}, "zzz: no plugin offers it; there is one"),
    ({"one": {"pth": "/x"}}, "one: unknown option 'pth'; did you mean 'path'?"),
    ({"one": {"zzz": 1}}, "one: unknown option 'zzz'; there is path, columns, items"),
    ({"one": {"items": "sale"}}, "one: items: no dataset 'sale'; did you mean 'sales'?"),
    (
        {"one": {"columns": {"value": "Qty"}}},
        "one: needs a column 'Qty' as 'value'; did you mean 'qty'?",
    ),
]


@pytest.mark.parametrize(("endpoints", "message"), CLASHES, ids=lambda each: str(each)[:40])
def test_what_cannot_be_offered_is_told_with_the_nearest_that_can(
    write, offers, endpoints, message
):
    write("one", columns={"id": "k", "none": "price"}, reads=("items",))
    assert messages(offers(**endpoints)[1]) == [f"sales.{message}"]


def test_a_column_that_the_dataset_lacks_is_told(write, offers):
    write("one", columns={"value": "amount"})
    (told,) = messages(offers(one={})[1])
    assert told == "sales.one: needs a column 'amount' as 'value'; there is k, qty, price"


@pytest.mark.parametrize(
    "path", ["one", "/", "/a b", "/a/../b", "/..", "/a?b", "/{id", "/datasets/x", "/data"]
)
def test_a_path_that_is_none_or_the_services_own_is_refused(write, offers, path):
    write("one")
    offered, clashes = offers(one={"path": path})
    assert offered == []
    assert f"path {path!r}" in messages(clashes)[0]


def test_a_path_keeps_the_places_of_the_endpoints_own(write, offers):
    write("one", path="/one/{id}", columns={"id": "k"})
    assert offers(one={"path": "/database/{id}/.y"})[1] == []
    (told,) = messages(offers(one={"path": "/x"})[1])
    assert told == "sales.one: path '/x': it needs {id}, once each"


def test_two_plugins_that_bring_one_endpoint_are_both_told_and_neither_serves(write, offers):
    write("first", name="same")
    write("second", name="same")
    offered, clashes = offers(same={})
    assert offered == []
    assert messages(clashes) == ["sales.same: plugins 'first' and 'second' both bring it"]


def test_two_datasets_with_one_route_are_both_told_and_neither_serves(write, offers):
    write("one", path="/one/{id}", columns={"id": "k"})
    write("two")
    endpoints = {"one": {}, "two": {}}
    mine, yours = dataset(endpoints=endpoints), dataset("yours", endpoints={"one": {}})
    offered, clashes = offers({"sales": mine, "yours": yours})
    assert [offer.endpoint.name for offer in offered] == ["two"]
    told = "sales.one and yours.one share the route '/one/{id}'; give one a 'path' of its own"
    assert messages(clashes) == [f"sales.one: {told}", f"yours.one: {told}"]
    own = dataset("yours", endpoints={"one": {"path": "/yours/{id}"}})
    assert len(offers({"sales": mine, "yours": own})[0]) == 3


def test_an_unknown_name_is_no_mistake_while_a_plugin_is_down(write, offers):
    write("down", "raise RuntimeError")
    assert offers(anything={}) == ([], [])


def test_two_services_in_one_process_share_no_plugins(tmp_path):
    services = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.py").write_text(
            PLUGIN.format(name=name, path="/x", columns={}, reads=())
        )
        services.append(Plugins(tmp_path / name))
    (tmp_path / "there" / "late.py").write_text("raise RuntimeError")
    assert Plugins(tmp_path / "there").failures.keys() == {"late"}
    for service, name in zip(services, ("here", "there"), strict=True):
        offered, _ = service.offers({"sales": dataset(endpoints={name: {}})})
        assert [offer.endpoint.name for offer in offered] == [name]
        assert service.failures == {}


FIND = """
import json, sys
from pathlib import Path
from app.dataset import Constant, Dataset, Lineage
from app.discovery import Plugins
plugins = Plugins(Path(sys.argv[1]))
lineage = Lineage(*map(Constant, "abc"))
sales = Dataset("sales", "gold", "*", (), lineage, endpoints={"one": {}, "installed": {}})
offers, clashes = plugins.offers({"sales": sales})
found = [[offer.plugin, offer.endpoint.name] for offer in offers]
print(json.dumps([found, plugins.failures, [clash.message for clash in clashes]]))
"""


def test_an_installed_distribution_brings_plugins_too(tmp_path, write):
    site = tmp_path / "site"
    (site / "brought-1.0.dist-info").mkdir(parents=True)
    (site / "brought-1.0.dist-info" / "METADATA").write_text("Name: brought\nVersion: 1.0\n")
    (site / "brought-1.0.dist-info" / "entry_points.txt").write_text(
        "[assay.plugins]\ninstalled = brought\none = brought\nlost = nowhere\n"
    )
    (site / "brought.py").write_text(
        PLUGIN.format(name="installed", path="/i", columns={}, reads=())
    )
    write("one")
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(site)!r}]\n{FIND}"
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    found, failures, clashes = json.loads(told.stdout.splitlines()[-1])
    assert (found, clashes) == ([["one", "one"], ["installed", "installed"]], [])
    assert failures == {
        "one": "another plugin has its name",
        "lost": "failed while it was imported",
    }


UNSOUND = [
    'Endpoint("v1.top", "/top", dict, "One")',
    'Endpoint("Top", "/top", dict, "One")',
    'Endpoint("top", "/top", dict, "One", [Parameter("x", "float")])',
    'Endpoint("top", "/top", dict, "One", [Parameter("x"), Parameter("x")])',
    'Endpoint("top", "/top", dict, "One", [Parameter("generation")])',
    'Endpoint("top", "/top", dict, "One", returns={"x": Member("text")})',
    'Endpoint("top", "/top", dict, "One", returns={"x": Member()})',
    'Endpoint("top", "/top", dict, "One", returns={"x": Member(members={"y": Member("no")})})',
    'Endpoint("top", "/openapi.{format}", dict, "One", generic=True)',
    'Endpoint("top", "/a/b", dict, "One", generic=True)',
    'Endpoint("top", "/top", dict, "One", generic=True, columns={"a": "k"})',
    'Endpoint("top", "/top", dict, "One"), Endpoint("top", "/other", dict, "Two")',
]


@pytest.mark.parametrize("text", UNSOUND)
def test_a_plugin_that_brings_what_cannot_be_served_is_left_out(write, offers, folder, text):
    hook = f"@hookimpl\ndef endpoints(dataset):\n    return [{text}]\n"
    write("unsound", text=f"from app.plugin import Endpoint, Member, Parameter, hookimpl\n{hook}")
    write("fine")
    found, _ = offers(fine={})
    assert [each.endpoint.name for each in found] == ["fine"]
    plugins = Plugins(folder)
    plugins.offers({"sales": dataset()})
    assert plugins.troubles == {"unsound": "failed while it was used"}


def test_of_two_plugins_with_one_generic_path_the_first_keeps_it(write, folder):
    for name in ("one", "two"):
        brought = f"Endpoint({name!r}, '/top', dict, '', generic=True)"
        write(name, text=f"{HEAD}@hookimpl\ndef endpoints(dataset):\n    return [{brought}]\n")
    plugins = Plugins(folder)
    found, _ = plugins.offers({"sales": dataset()})
    assert [each.endpoint.name for each in found] == ["one"]
    assert list(plugins.troubles) == ["two"]


def test_a_plugin_that_answers_again_is_well_again(folder):
    plugins = Plugins(folder)
    plugins.stumble("one", KeyError("x"))
    assert plugins.troubles == {"one": "failed while it was used"}
    plugins.answered("one")
    assert plugins.troubles == {}
