"""Who asks and what it may."""

import json
import logging
import os
import re
import stat
import subprocess
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from app.access.caller import ANONYMOUS, Caller
from app.access.keyfile import KeyFileError, drop_key, keep_key, read_keys, revoke_key
from app.access.keyring import Keyring
from app.access.keys import KeyRecord, hash_of, id_of, new_key
from app.errors import ConflictingCredentialsError, CredentialError, ForbiddenError

ROOT = Path(__file__).parents[2]
NOW, SECOND = datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=1)
LATER = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "keys.json"


@pytest.fixture
def keyring(path):
    return Keyring(path)


@pytest.fixture
def key(path):
    return made(path, "admin")


def made(path, scope):
    key, record = new_key("dashboard", scope)
    keep_key(path, record)
    return key


# Scopes


@pytest.mark.parametrize(
    ("held", "allowed"),
    [
        ("read", {"read"}),
        ("refresh", {"refresh"}),
        ("finance", {"finance"}),
        ("admin", {"read", "refresh", "admin", "finance"}),
    ],
)
def test_a_scope_allows_what_it_implies_and_no_more(held, allowed):
    caller = Caller("id", frozenset({held}))
    scopes = ("read", "refresh", "admin", "finance", "public")
    assert {scope for scope in scopes if caller.may(scope)} == allowed | {"public"}


def test_a_caller_without_a_key_is_told_how_to_give_one():
    with pytest.raises(CredentialError, match="A key with scope refresh is needed") as refusal:
        ANONYMOUS.require("refresh")
    assert "Authorization: Bearer <key> or X-API-Key" in refusal.value.detail
    assert refusal.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_without_the_scope_is_forbidden(path, keyring):
    with pytest.raises(ForbiddenError, match="lacks the scope refresh") as refusal:
        keyring.caller(None, made(path, "read")).require("refresh")
    assert refusal.value.facts["scope"] == "refresh"


# Keys


def test_a_key_has_a_prefix_an_id_a_secret_and_a_checksum():
    key, record = new_key("dashboard", "read")
    assert re.fullmatch(f"assay_{record.id}_[0-9A-Za-z]{{38}}", key)
    assert id_of(key) == record.id
    assert record.sha256 == hash_of(key)


def test_any_one_wrong_letter_shows_in_the_checksum():
    key, _ = new_key("dashboard", "read")
    for index in range(len(key)):
        for letter in "aZ0_":
            wrong = key[:index] + letter + key[index + 1 :]
            assert wrong == key or id_of(wrong) is None


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("x", "Write"),
        ("x", "public"),
        ("x", "a b"),
        ("x", ""),
        ("", "read"),
        ("x" * 101, "read"),
        ("a\nb", "read"),
    ],
)
def test_a_key_needs_a_scope_that_exists_and_a_name(name, scope):
    with pytest.raises(ValueError, match=r"no scope|needs a name"):
        new_key(name, scope)


@pytest.mark.parametrize(
    ("moments", "state"),
    [
        ({}, "valid"),
        ({"not_before": NOW}, "valid"),
        ({"not_before": NOW + SECOND}, "not yet valid"),
        ({"expires_at": NOW + SECOND}, "valid"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW, "revoked_at": NOW}, "revoked"),
    ],
)
def test_a_key_is_valid_from_a_moment_to_another_until_it_is_revoked(moments, state):
    record = replace(new_key("dashboard", "read")[1], **moments)
    assert record.state(NOW) == state
    assert KeyRecord.from_fact(json.loads(json.dumps(record.as_fact()))) == record


@pytest.mark.parametrize(
    "moments", [{"expires_at": NOW}, {"expires_at": LATER, "not_before": LATER}]
)
def test_a_key_that_would_never_be_valid_is_not_made(moments):
    with pytest.raises(ValueError, match="expires before"):
        new_key("dashboard", "read", **moments)


# The file


def test_the_file_keeps_a_hash_and_no_secret(path, key):
    (fact,) = json.loads(path.read_text())["keys"]
    assert set(fact) == {"id", "name", "scopes", "sha256", "created_at"}
    assert key.rsplit("_")[2] not in path.read_text()


def test_the_file_and_its_folder_are_for_us_alone(path):
    made(path, "read")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_key_that_was_dropped_is_not_valid_any_more(path, key, keyring):
    caller = keyring.caller(None, key)
    assert drop_key(path, caller.key_id)
    assert not drop_key(path, caller.key_id)
    with pytest.raises(CredentialError):
        keyring.caller(None, key)


def test_a_key_that_was_revoked_is_not_valid_any_more_and_stays_in_the_file(path, key, keyring):
    key_id = keyring.caller(None, key).key_id
    assert revoke_key(path, key_id)
    (revoked,) = read_keys(path)
    with pytest.raises(CredentialError):
        keyring.caller(None, key)
    assert revoke_key(path, key_id)
    assert read_keys(path) == (revoked,)
    assert not revoke_key(path, "00000000")


@pytest.mark.parametrize("moments", [{"not_before": LATER}, {"expires_at": NOW}])
def test_a_key_is_refused_outside_its_time_like_any_wrong_one(path, keyring, moments):
    key, record = new_key("dashboard", "admin")
    keep_key(path, replace(record, **moments))
    with pytest.raises(CredentialError, match="not valid"):
        keyring.caller(None, key)


def test_two_keys_of_one_name_are_valid_side_by_side(path, keyring, key):
    assert made(path, "admin") != key
    assert {record.name for record in read_keys(path)} == {"dashboard"}
    assert keyring.caller(None, key).may("refresh")


def test_keys_that_are_given_hold_beside_those_of_the_file(path, key):
    other, record = new_key("scheduler", "refresh")
    keyring = Keyring(path, [record])
    assert keyring.caller(None, other).scopes == {"refresh"}
    assert keyring.caller(None, key).scopes == {"admin"}
    keep_key(path, replace(record, revoked_at=NOW))
    with pytest.raises(CredentialError):
        keyring.caller(None, other)


def test_what_a_killed_writer_left_is_no_hindrance(path):
    made(path, "read")
    path.with_name("keys.json.new").write_text("half")
    made(path, "read")
    assert len(read_keys(path)) == 2


def test_an_id_can_be_kept_once_only(path):
    _, record = new_key("dashboard", "read")
    keep_key(path, record)
    with pytest.raises(KeyFileError, match="same id"):
        keep_key(path, record)


KEEP_TEN = """
import sys
from pathlib import Path
from app.access.keyfile import keep_key
from app.access.keys import new_key

for number in range(10):
    keep_key(Path(sys.argv[1]), new_key(f"{sys.argv[2]}-{number}", "read")[1])
"""


def test_two_processes_that_make_keys_at_once_lose_none(path):
    # S603: the program is the text above.
    writers = [
        subprocess.Popen([sys.executable, "-c", KEEP_TEN, str(path), name], cwd=ROOT)
        for name in ("one", "two", "three")
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len({record.name for record in read_keys(path)}) == 30


# The keyring


def test_who_gives_nothing_is_anonymous(keyring):
    assert keyring.caller(None, None) == ANONYMOUS


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_key_is_taken_from_either_header_or_from_both(keyring, key, scheme):
    caller = Caller(id_of(key), frozenset({"admin"}))
    assert keyring.caller(f"{scheme} {key}", None) == caller
    assert keyring.caller(None, key) == caller
    assert keyring.caller(f"{scheme} {key}", key) == caller


@pytest.mark.parametrize("form", ["Bearer {other}", "Bearer", "Basic {key}", "{key}", ""])
def test_two_different_credentials_are_refused_even_if_one_is_valid(path, keyring, key, form):
    authorization = form.format(key=key, other=made(path, "read"))
    with pytest.raises(ConflictingCredentialsError):
        keyring.caller(authorization, key)


def hostile(key):
    stranger, _ = new_key("stranger", "admin")
    own_id_other_secret = f"{key[:15]}{stranger[15:]}"
    return [
        "", " ", "x", key[:-1], key + "x", key + "\n", key.swapcase(), f"{key}, {key}",
        key[:-1] + ("a" if key[-1] != "a" else "b"), own_id_other_secret, stranger,
        "assay_" + "é" * 46, "ä", "\ud800", "\0", "assay_", "a" * 8192, key * 200, "🔑",
        key.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}) + "x",
    ]  # fmt: skip


def test_every_wrong_credential_gets_the_same_refusal(keyring, key):
    texts = set()
    for wrong in hostile(key):
        for given in [(f"Bearer {wrong}", None), (None, wrong), (f"Basic {wrong}", None)]:
            with pytest.raises(CredentialError) as refusal:
                keyring.caller(*given)
            texts.add((refusal.value.detail, str(refusal.value.facts)))
    assert texts == {("The key given is not valid.", "{}")}


@pytest.mark.parametrize(
    "authorization", ["Basic {key}", "Bearer{key}", "Token {key}", "{key}", ""]
)
def test_another_scheme_is_refused_even_with_a_valid_key(keyring, key, authorization):
    with pytest.raises(CredentialError):
        keyring.caller(authorization.format(key=key), None)


def test_a_key_is_never_told(path, keyring, key, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = key[:-1] + "é"
    told = [repr(keyring), repr(vars(keyring)), repr(keyring.caller(None, key)), keyring.problem]
    told.append(repr(read_keys(path)))
    for given in [(f"Bearer {wrong}", None), (f"Bearer {wrong}", key)]:
        with pytest.raises((CredentialError, ConflictingCredentialsError)) as refusal:
            keyring.caller(*given)
        told += [repr(refusal.value), *traceback.format_exception(refusal.value)]
    assert key[15:40] not in " ".join([*told, caplog.text])


def test_without_a_file_nobody_has_a_key(path, keyring, key):
    path.unlink()
    with pytest.raises(CredentialError):
        keyring.caller(None, key)
    assert keyring.caller(None, None) == ANONYMOUS
    assert keyring.problem == ""


def test_a_new_key_is_valid_at_once(path, keyring, key):
    assert keyring.caller(None, key).key_id == id_of(key)
    other = made(path, "read")
    assert keyring.caller(None, other).key_id == id_of(other)


GOOD = {
    "id": "abcd1234",
    "name": "x",
    "scopes": ["read"],
    "sha256": "0" * 64,
    "created_at": "2026-01-01T00:00:00+00:00",
}
BROKEN = [
    "",
    "{",
    "[]",
    "\xff",
    '{"keys": {}}',
    '{"keys": [7]}',
    '{"keys": [{}]}',
    "[" * 100_000,
    " " * (2 << 20),
    *(
        json.dumps({"keys": [GOOD | wrong]})
        for wrong in (
            {"id": "a_b"}, {"id": 7}, {"name": None}, {"scopes": []}, {"scopes": "admin"},
            {"scopes": ["Root"]}, {"scopes": ["public"]}, {"scopes": [[]]}, {"sha256": "0"},
            {"created_at": "now"},
            {"expires_at": "2026-01-01T00:00:00"}, {"not_before": None}, {"expires": "never"},
        )
    ),
    json.dumps({"keys": [GOOD, GOOD]}),
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_changes_nothing_and_is_told(path, keyring, key, text):
    assert keyring.caller(None, key).key_id
    path.write_text(text, encoding="latin-1")
    with structlog.testing.capture_logs() as told:
        for _ in range(2):
            assert keyring.caller(None, key).key_id
    assert keyring.problem
    (line,) = told
    assert (line["event"], line["file"], line["reason"]) == (
        "file not taken",
        path.name,
        keyring.problem,
    )
    with pytest.raises(CredentialError):
        Keyring(path).caller(None, key)
    with pytest.raises(KeyFileError):
        keep_key(path, new_key("more", "read")[1])
    assert path.read_text(encoding="latin-1") == text


def test_a_file_that_was_mended_holds_again(path, keyring, key):
    good = path.read_text()
    path.write_text("{")
    assert keyring.problem == "not JSON"
    path.write_text(good)
    assert keyring.problem == ""
    assert keyring.caller(None, key).key_id == id_of(key)


def test_a_file_that_cannot_be_read_changes_nothing(path, keyring, key):
    assert keyring.caller(None, key).key_id
    path.unlink()
    path.mkdir()
    assert keyring.caller(None, key).key_id
    assert keyring.problem.startswith("not readable")
    assert str(path) not in keyring.problem


def test_a_file_that_did_not_change_is_not_read_again(path, keyring, key):
    keyring.caller(None, key)
    stamp = path.stat()
    path.write_text(" " * stamp.st_size)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert keyring.caller(None, key).key_id == id_of(key)
