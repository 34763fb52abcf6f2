"""Secrets that text from the network quotes go no further than where it enters."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import from_plain, to_plain
from harness.deployment.file import load
from harness.phone.process import redacted as phone_message
from harness.run.fleet.state import REDIS_VARIABLE, redis_address
from harness.support import mask
from harness.support.http_client import HttpError, HttpResponse
from harness.support.network_text import (
    MOST_CHARACTERS,
    REDACTED,
    SHORTEST_SECRET,
    keep_secret,
    line,
    read_json,
    redacted,
    redacted_bytes,
)
from harness.support.resources import EXAMPLES

SECRET = "s3cret+/=&\"'%é"


@pytest.mark.parametrize(
    "quoted",
    [
        SECRET,
        "s3cret%2B%2F%3D%26%22%27%25%C3%A9",
        "s3cret%2b%2f%3d%26%22%27%25%c3%a9",
        "s3cret+/=&amp;&quot;&#x27;%é",
        json.dumps(SECRET)[1:-1],
    ],
)
def test_a_secret_is_redacted_as_urls_html_and_json_have_it(quoted: str) -> None:
    keep_secret(SECRET)
    assert redacted(f"Denied Bearer {quoted}.") == "Denied Bearer REDACTED."


def _each_octet(form: str) -> str:
    return "".join(form.format(octet) for octet in SECRET.encode())


@pytest.mark.parametrize(
    "quoted",
    [
        _each_octet("%{:02X}"),
        _each_octet("%{:02x}"),
        "s3c%72et%2B%2f%3D%26%22%27%25%C3%A9",
        "".join(f"&#{ord(each)};" for each in SECRET),
        "".join(f"&#x{ord(each):x};" for each in SECRET),
        "s3cr&#101;t+/=&#x26;&#34;'%&#xE9;",
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        quote(base64.b64encode(SECRET.encode()), safe=""),
    ],
)
def test_a_secret_is_redacted_whichever_characters_are_escaped(quoted: str) -> None:
    """The API that echoes a token decides which it escapes."""
    keep_secret(SECRET)
    assert redacted(f"Denied Bearer {quoted}.") in (
        "Denied Bearer REDACTED.",
        "Denied Bearer REDACTED%3D.",
    )
    (body,) = read_json(json.dumps([f"Denied Bearer {quoted}."]).encode())
    assert body.startswith("Denied Bearer REDACTED")


@given(
    st.text(string.ascii_letters + string.digits + "-_", min_size=SHORTEST_SECRET, max_size=40),
    st.binary(max_size=7),
    st.binary(max_size=7),
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
def test_base64_of_a_secret_and_its_surroundings_does_not_give_it_away(
    secret: str, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    """As in ``Basic`` of a user and a password: at most one octet at either end is left."""
    keep_secret(secret)
    clean = redacted(encode(before + secret.encode() + after).decode())
    assert REDACTED in clean
    left, _, right = clean.partition(REDACTED)
    assert len(left) * 6 <= (len(before) + 1) * 8 + 6
    assert len(right.rstrip("=")) * 6 <= (len(after) + 1) * 8 + 6


@pytest.mark.parametrize("text", ["%", "%zz 100% &#; &#x; &#99999999;", "%E9%FF", "&#1114112; %41"])
def test_escapes_that_hold_no_secret_stay(text: str) -> None:
    keep_secret(SECRET)
    assert redacted(text) == text
    assert redacted_bytes(text.encode() + b"\xff") == text.encode() + b"\xff"


@pytest.mark.parametrize(
    ("kept", "quoted"),
    [
        ("Bearer abcdef123456", "abcdef123456"),
        ("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("  abcdef123456\n", "abcdef123456"),
        ("redis://user:p%40ssw0rd@127.0.0.1:6379/0", "p@ssw0rd"),
        ("redis://:p%40ssw0rd@127.0.0.1:6379/0", "p%40ssw0rd"),
        ("redis://user:p%40ssw0rd@127.0.0.1:6379/0", "redis://user:p%40ssw0rd@127.0.0.1:6379/0"),
    ],
)
def test_a_credential_and_a_url_hold_a_secret(kept: str, quoted: str) -> None:
    keep_secret(kept)
    assert redacted(f"({quoted})") == "(REDACTED)"


@given(st.text(max_size=5))
def test_a_secret_that_is_part_of_ordinary_words_is_not_looked_for(short: str) -> None:
    keep_secret(short)
    assert redacted("Bearer 12345 abcde redis user") == "Bearer 12345 abcde redis user"


def test_json_is_redacted_however_it_is_escaped() -> None:
    keep_secret("abcdef123456")
    raw = rb'{"a": ["\u0061bcdef123456", 1, null], "abcdef12345\u0036": {"b": "x abcdef123456 y"}, "half": "\ud800"}'
    assert read_json(raw) == {
        "a": ["REDACTED", 1, None],
        "REDACTED": {"b": "x REDACTED y"},
        "half": "?",
    }
    assert HttpResponse(200, "OK", {}, b'["abcdef123456"]').json() == ["REDACTED"]
    keep_secret('abc\\"def')
    assert read_json(rb'["\n abc\\\"def"]') == ["\n REDACTED"]
    for none in (b"<html>", b"\xff", b"[" * 100_000):
        with pytest.raises(ValueError, match=r"."):
            read_json(none)


@pytest.mark.parametrize("secret", ["abcdef123456", SECRET])
def test_an_event_of_a_phone_process_is_redacted(secret: str) -> None:
    keep_secret(secret)
    message = ["tell", "events", {"leg": 1, "events": [["SipMessage", f"X: {secret}\udcff"]]}]
    packed = msgpack.packb(message, unicode_errors="surrogatepass")
    assert phone_message(packed) == [
        "tell",
        "events",
        {"leg": 1, "events": [["SipMessage", "X: REDACTED\udcff"]]},
    ]


def test_a_line_is_cut_and_printable_and_redacted_before_it_is_cut() -> None:
    keep_secret("abcdef123456")
    assert line("OK\x1b[2J\r\nabcdef123456\udcff") == "OK\\x1b[2J  REDACTED\ufffd"
    long = line("x" * (MOST_CHARACTERS - 4) + "abcdef123456")
    assert long == "x" * (MOST_CHARACTERS - 4) + "REDA"
    assert (
        str(HttpError("unusable", "Bad status line: abcdef123456\n"))
        == "Bad status line: REDACTED "
    )


@given(st.lists(st.text("ab-]^\\é ", min_size=6), min_size=1, max_size=3), st.text(), st.text())
def test_no_secret_is_overlooked(kept: list[str], before: str, after: str) -> None:
    for secret in filter(lambda secret: len(secret.strip()) >= SHORTEST_SECRET, kept):
        keep_secret(secret)
        assert secret.strip() not in redacted(f"{before}{secret}{after}")


def test_octets_that_are_no_text_stay() -> None:
    keep_secret("abcdef123456")
    assert (
        redacted_bytes(b"SIP/2.0 200 OK\r\nX: \xff abcdef123456\r\n")
        == b"SIP/2.0 200 OK\r\nX: \xff REDACTED\r\n"
    )


def live(**more: Any) -> Mapping[str, Any]:
    """A deployment as a worker is handed it, its secrets with it."""
    found = load(EXAMPLES / "live-talkdesk.toml", secrets=False)
    plain = to_plain(found)
    secret = {"Authorization": "Bearer of-the-report-123"}
    report = {"url": "https://report.example/calls", "headers_secret": secret}
    plain["platform"]["report"] = report
    plain["synthflow"]["api_token"] = "token-of-the-api"
    plain["phones"]["caller"] |= {"password": "of-the-phone"} | more
    return plain


def test_what_a_deployment_names_as_a_secret_is_one_to_each_process_that_has_it() -> None:
    from_plain(dict(live()))
    text = "token-of-the-api, of-the-phone, of-the-report-123"
    assert redacted(text) == "REDACTED, REDACTED, REDACTED"


def test_a_password_that_every_message_shows_is_no_secret() -> None:
    """A phone whose password is its user name: redacted it would be missing from its own messages."""
    from_plain(dict(live(user="of-the-phone")))
    assert redacted("From: <sip:of-the-phone@192.0.2.1>") == "From: <sip:of-the-phone@192.0.2.1>"


def test_the_numbers_of_a_deployment_are_masked_in_their_national_form() -> None:
    plain = dict(live())
    plain["assistants"]["main"]["did"] = "+6565550123"
    assert mask.mask_text("65550123") == "65550123"
    from_plain(plain)
    assert mask.mask_text("65550123 and 6555 0123") == "6•••0123 and 6•••0123"


def test_the_address_of_redis_holds_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redis")
    monkeypatch.setenv(REDIS_VARIABLE, "redis://:of-the-fleet@127.0.0.1:6379/0")
    redis_address()
    assert redacted("AUTH of-the-fleet failed") == "AUTH REDACTED failed"
