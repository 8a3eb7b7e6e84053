"""Texts that attack: SQL, operators, odd letters, forms of values, paths and headers."""

import random
from urllib.parse import quote

SQL = [
    "'", "''", '"', "';--", "' OR '1'='1", "' OR 1=1--", '" OR ""="', "1 OR 1=1", "1; SELECT 1",
    "'; DROP TABLE hostile; --", "') OR ('a'='a", "' UNION SELECT 1,2,3--", "x' AND 1=0--",
    "1)) OR ((1=1", "/**/OR/**/1=1", "' || 'a", "a'||(SELECT 1)||'", "CASE WHEN 1 THEN 1 END",
    "$1", "?", ":a", "@a", "$$a$$", "E'\\''", "\\'", "`a`", "[a]", "NULL", "null", "TRUE", "*",
    "count(*)", "current_user", "pg_sleep(9)", "range(10)", "now()", "a IS NULL", "--", "/*", "*/",
    "PRAGMA threads=9", "COPY x TO 'y'", "a::int", "a COLLATE NOCASE", "'; ATTACH ':memory:'; --",
]  # fmt: skip
OPERATORS = [
    "__eq", "a__", "text__", "text__eq__eq", "__", "___", "text__nosuch", "text__or", "text__like",
    "text__regex", "%", "%%", "_", "a%", "a_b", "\\%", "\\", "\\\\", "[a-z]", ".*", "^a", "(a+)+$",
    "-", "--text", "-text", "+text", "text,text", ",", ",,", ";", "&", "=", "text=1", "#", "$where",
    "{$gt: 1}", "sum:", ":", "sum:text:text", "count:", "eval:text", "sum:sum", "max", "n__in",
]  # fmt: skip
UNICODE = [
    "é", "É", "ß", "ẞ", "\u0131", "\ufb01", "\uff41", "\uff21", "'", "\u02bc", "\uff07", "\u2019",
    "\u202e", "\u200b", "\u2028", "\ufeff", "\ufffd", "🐍", "a\u0301", "\u0085", "\u00a0",
    "\u0660", "\u06f1", "\U0001d7d9", "\ud7ff", "\ue000", "\U0010ffff", "\x7f", "\x1b[31m",
    "\x00", "a\x00b", "\x00'", "\r\n", "\n", "\t", " ", "  ", " a", "a ", "",
]  # fmt: skip
FORMS = [
    "{}", "[]", '{"a":1}', '["a"]', '{"$ne":null}', '"', "true", "nan", "NaN", "inf", "-inf", "-0",
    "0x10", "1e400", "1_0", "9" * 40, "-" + "9" * 40, "0" * 400, "1.0", "٣", "+1", " 1", "1 ", "01",
    "2026-01-01", "2026-02-30", "0000-00-00", "2026-01-01T00:00", "99999-01-01", "now", "today",
]  # fmt: skip
PATHS = [
    "../../secret", "..", ".", "/", "//", "/secret", "a/b", "..%2f", "%2e%2e", "%00", "%", "%zz",
    "%c0%ae", "\\..\\", "file:///secret", "http://x/", "C:\\x", "~", "a;b", "a?b", "a#b",
    "rows.txt",
]  # fmt: skip
HEADERS = [
    "a\r\nX-Evil: 1", "a\nSet-Cookie: a=1", "W/\"x\"", "*", "bytes=0-", "wait=999999", "gzip;q=9",
    "() { :; }; echo", "${jndi:ldap://x/a}", "{{7*7}}", "<script>alert(1)</script>", "\x00",
    "a" * 300, "text/html;q=x", "' OR 1=1--", "wait=-1", "=?utf-8?q?a?=",
]  # fmt: skip
FAMILIES = [SQL, OPERATORS, UNICODE, FORMS, PATHS, HEADERS]
# What may stand in a table as well.
HELD = [*SQL, *OPERATORS, *UNICODE, *FORMS, *PATHS, *HEADERS[:12]]


def corpus(count):
    """Give so many hostile texts, all different: each of the lists first, then mixtures of them."""
    draw = random.Random(11)
    texts = dict.fromkeys(text for family in FAMILIES for text in family)
    while len(texts) < count:
        parts = [draw.choice(draw.choice(FAMILIES)) for _ in range(draw.randint(2, 3))]
        mixed = draw.choice(["", " ", "'", "%", "\x00"]).join(parts)
        texts[draw.choice([mixed, mixed.upper(), quote(mixed), mixed[::-1], repr(mixed)])] = None
    return list(texts)[:count]
