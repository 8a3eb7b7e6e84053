"""What the environment decides."""

import pickle
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, field_of, read_settings, rules

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def test_an_empty_environment_gives_the_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_settings({}) == Settings(
        registry=tmp_path / "datasets.yaml",
        state=tmp_path / ".assay",
        keys_file=tmp_path / ".assay" / "keys.json",
        keys="",
        token_keys=None,
        token_algorithms="RS",  # noqa: S106 - no password
        token_issuer="",
        token_audience="",
        token_scopes="scope",  # noqa: S106 - no password
        token_seconds=3600,
        guesses_per_minute=10,
        requests_per_minute=0,
        trusted_proxies=0,
        cors_origins="",
        plugins=tmp_path / "plugins",
        host="127.0.0.1",
        port=8000,
        workers=2,
        log_level="info",
        tracing="off",
        cache="",
        cache_bytes=64 * MIB,
        engine_threads=2,
        engine_memory=GIB,
        loader_memory=2 * GIB,
        index_bytes=2 * GIB,
        queries_running=2,
        queries_waiting=60,
        query_seconds=2,
        exports_running=2,
        exports_waiting=16,
        export_seconds=300,
        spool_bytes=2 << 30,
        keep_generations=5,
        keep_seconds=600,
        keep_bytes=20 * GIB,
        wait_seconds=60,
    )


def test_only_the_given_mapping_is_read(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("ASSAY_PORT=1\n")
    monkeypatch.setenv("ASSAY_PORT", "2")
    monkeypatch.setenv("ASSAY_TYPO", "2")
    assert read_settings({"PORT": "3"}).port == 8000


def test_the_keys_are_in_the_state_directory_unless_said_otherwise():
    assert read_settings({"ASSAY_STATE": "/s"}).keys_file == Path("/s/keys.json")
    given = read_settings({"ASSAY_STATE": "/s", "ASSAY_KEYS_FILE": "/k"})
    assert given.keys_file == Path("/k")


def test_a_symlink_stays_one_so_that_its_target_may_move(tmp_path):
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    given = read_settings({"ASSAY_REGISTRY": str(tmp_path / "link.yaml")})
    assert given.registry == tmp_path / "link.yaml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("4096", 4_096),
        ("3KB", 3_000),
        ("3MB", 3_000_000),
        ("3GB", 3_000_000_000),
        ("3KiB", 3 * KIB),
        ("3 MiB", 3 * MIB),
        ("3gib", 3 * GIB),
    ],
)
def test_a_size_is_bytes_or_has_a_unit(text, expected):
    assert read_settings({"ASSAY_CACHE_BYTES": text}).cache_bytes == expected


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *(("ASSAY_PORT", text) for text in ("-1", "65536", "", "8e3", " 8", "1_0", "٣", "9" * 999)),
        *(("ASSAY_WORKERS", text) for text in ("0", "65", "two")),
        *(("ASSAY_CACHE_BYTES", text) for text in ("1.5GB", "-1", "1TB", "GB", "1 0", "9" * 30)),
        ("ASSAY_ENGINE_MEMORY", "63MiB"),
        ("ASSAY_LOADER_MEMORY", "0"),
        ("ASSAY_LOG_LEVEL", "INFO"),
        ("ASSAY_HOST", "a b"),
        ("ASSAY_HOST", ""),
        ("ASSAY_STATE", ""),
        ("ASSAY_REGISTRY", "a\0b"),
        ("ASSAY_KEEP_GENERATIONS", "0"),
        *(
            ("ASSAY_CORS_ORIGINS", text)
            for text in ("a.example", "https://a.example/", "https://*.example", "*,*", "null",
                         "https://a.example,*", "https://A.example", "https://a.example,", ",",
                         "https://u@a.example", "ftp://a.example", "https://a.example:x")
        ),
    ],
)  # fmt: skip
def test_a_value_that_is_not_allowed_is_told_with_what_is(variable, text):
    with pytest.raises(SettingsError) as refusal:
        read_settings({variable: text})
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(f"{variable}: found {text[:80]!r}"[:-1])
    assert line.endswith(f"allowed: {rules()[variable].allowed}")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "redis://localhost",
        "redis://:p%40ss@10.0.0.1:6379/3",
        "rediss://ann:secret@redis.example:6380?ssl_ca_certs=/etc/own.crt",
        "redis://[::1]:6379/",
        "rediss://r?ssl_certfile=/a&ssl_keyfile=/b",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_an_address_of_redis_is_taken(address):
    assert read_settings({"ASSAY_CACHE": address}).cache == address


@pytest.mark.parametrize(
    "address",
    [
        *("localhost:6379", "http://localhost", "redis://", "redis://:hunter2@", "unix://"),
        *("redis://hunter2@localhost:x", "redis://localhost:70000", "redis://localhost:0"),
        *("redis://:hunter2@localhost/x", "redis://localhost/1/2", "redis://[::1", "unix://?db=1"),
        *("redis://:hunter2@localhost?socket_timeout=60", "redis://localhost?db=1"),
        *("unix:///run/redis.sock?db=x", "redis://localhost#x", "redis://:hunter2/x@localhost"),
        "rediss://localhost?ssl_cert_reqs=none",
    ],
)
def test_what_is_no_address_of_redis_is_refused_untold(address):
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASSAY_CACHE": address})
    allowed = "nothing, or an address that starts with redis://, rediss:// or unix://"
    told = f"ASSAY_CACHE: found a value that is not shown; allowed: {allowed}"
    assert str(refusal.value) == told


def test_origins_stand_with_commas_between():
    given = read_settings({"ASSAY_CORS_ORIGINS": "https://a.example, http://[::1]:8080"})
    assert given.cors_origins == "https://a.example,http://[::1]:8080"
    assert read_settings({"ASSAY_CORS_ORIGINS": "*"}).cors_origins == "*"


def test_all_mistakes_are_told_at_once_one_a_line():
    environ = {"ASSAY_PORT": "x\ny", "ASSAY_WORKERS": "0", "ASSAY_PROT": "1", "ASSAY_KEY": "1"}
    with pytest.raises(SettingsError) as refusal:
        read_settings(environ)
    assert str(refusal.value).splitlines() == [
        "'ASSAY_PROT': no such variable; did you mean ASSAY_PORT?",
        "'ASSAY_KEY': no such variable; did you mean ASSAY_KEYS?",
        r"ASSAY_PORT: found 'x\ny'; allowed: a whole number from 0 to 65535",
        "ASSAY_WORKERS: found '0'; allowed: a whole number from 1 to 64",
    ]


def test_the_value_of_an_unknown_variable_is_not_told():
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASSAY_KEY": "canary"})
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {variable: rule.default for variable, rule in rules().items() if rule.default},
        {"ASSAY_STATE": "s p/ä", "ASSAY_KEEP_BYTES": "7KB", "ASSAY_LOG_LEVEL": "debug"},
    ],
)
def test_settings_survive_pickling_and_their_own_environment(environ):
    given = read_settings(environ)
    # S301: these bytes are our own.
    assert pickle.loads(pickle.dumps(given)) == given  # noqa: S301
    assert read_settings(given.environment()) == given


def test_the_environment_of_settings_names_every_field():
    names = [each.name for each in fields(Settings)]
    assert [field_of(variable) for variable in read_settings({}).environment()] == names


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        read_settings({}).port = 1
