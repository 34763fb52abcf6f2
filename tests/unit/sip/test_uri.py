"""URIs, name-addr, and the grammar beneath them (RFC 3261 section 25.1)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.grammar import (
    Params,
    SipSyntaxError,
    split_host_port,
    split_list,
    split_outside,
    unquote,
)
from harness.sip.uri import NameAddr, Uri


@pytest.mark.parametrize(
    ("text", "user", "host", "port", "password"),
    [
        ("sip:h", None, "h", None, None),
        (
            "sips:+12065550100@sip.us.example.com:32682",
            "+12065550100",
            "sip.us.example.com",
            32682,
            None,
        ),
        ("SIP:a@h:0", "a", "h", 0, None),
        ("sip:127.0.0.1:5060", None, "127.0.0.1", 5060, None),
        ("sip:a:@h", "a", "h", None, ""),
        ("sip:a:b:c@h:65535", "a", "h", 65535, "b:c"),
        ("sip:a;b=c@h;d=e", "a;b=c", "h", None, None),
        ("sip:a?b=c@h?x=y", "a?b=c", "h", None, None),
        ("sip:a@h?x=b%40c", "a", "h", None, None),
        ("sip:a%40b@h", "a@b", "h", None, None),
        ("sip:%61lice@example.com", "alice", "example.com", None, None),
        ("sip:a@[2001:db8::1]:5070", "a", "[2001:db8::1]", 5070, None),
        ("sip:h.example.", None, "h.example.", None, None),
        ("tel:+1-206-555-0100;phone-context=example.com", "+1-206-555-0100", "", None, None),
    ],
)
def test_the_parts_of_a_uri(
    text: str, user: str | None, host: str, port: int | None, password: str | None
) -> None:
    uri = Uri.parse(text)
    assert (uri.user, uri.host, uri.port, uri.password) == (user, host, port, password)
    assert Uri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "sip",
            "sip:",
            ":x",
            "1sip:x",
            "alice@example.com",
            "<sip:a@b>",
            "sip:a b@c",
            "sip:a@h>",
            "sip:<a@h",
        ),
        *(
            "sip:@h",
            "sip::secret@h",
            "sip:a@b@h",
            "sip:a%zz@h",
            "sip:a%4@h",
            "sip:a:%zz@h",
            "sip:a\0@h",
            "sip:a@h;x=\x1b",
        ),
        *(
            "sip:a@h;=x",
            "sip:h?x",
            "sip:h?=x",
            "sip:h?x=1&",
            "sip:h?x%=1",
            "sip:h?x=%1",
            "sip:h:65536",
            "sip:h:-1",
        ),
        *("sip:h:x", "sip:[2001:db8::1", "sip:[x]", "sip:-h", "tel:", "tel:;x=1", "tel:%4"),
    ],
)
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        Uri.parse(text)


def test_headers_of_a_uri_are_unescaped_and_escaped_again() -> None:
    uri = Uri.parse("sip:a@h;lr?Replaces=x%40y%3Bto-tag%3D1&X=")
    assert uri.headers == (("Replaces", "x@y;to-tag=1"), ("X", ""))
    assert (uri.header("replaces"), uri.header("X"), uri.header("Y")) == ("x@y;to-tag=1", "", None)
    assert str(uri.without_headers().with_header("A", "b c&d")) == "sip:a@h;lr?A=b%20c%26d"


def test_other_schemes_stand_as_they_are() -> None:
    assert str(Uri.parse("urn:service:sos")) == "urn:service:sos"
    assert Uri.parse("URN:x").scheme == "urn"
    assert Uri.parse("tel:+1-206;phone-context=x").params.get("phone-context") == "x"


@pytest.mark.parametrize(
    ("text", "transport", "port"),
    [
        ("sip:h;transport=TCP", "tcp", 5060),
        ("sip:h;transport=", "udp", 5060),
        ("sip:h", "udp", 5060),
        ("sips:h", "tls", 5061),
        ("sips:h;transport=tcp", "tcp", 5061),
        ("sips:[2001:db8::1]:5060", "tls", 5060),
        ("sip:h;transport=tls", "tls", 5061),
        ("sip:h:5070;transport=tls", "tls", 5070),
        ("sip:h:0", "udp", 0),
    ],
)
def test_where_a_uri_leads(text: str, transport: str, port: int) -> None:
    uri = Uri.parse(text)
    assert (uri.transport, uri.effective_port) == (transport, port)
    assert uri.address in ("h", "2001:db8::1")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_user_can_be_written(user: str) -> None:
    again = Uri.parse(str(Uri("sip", user, "example.com", headers=(("X-User", user),))))
    assert (again.user, again.header("X-User")) == (user, user)


# -- name-addr


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("<sip:a@h>", None, "sip:a@h", ""),
        ("A <sip:a@h;x>;tag=1", "A", "sip:a@h;x", ";tag=1"),
        ("A  B<sip:a@h>", "A B", "sip:a@h", ""),
        ("Bob, O'Neil & Söhne (Berlin) <sip:a@h>", "Bob, O'Neil & Söhne (Berlin)", "sip:a@h", ""),
        ('"A <b> \\" c" <sip:a@h> ; tag=1', 'A <b> " c', "sip:a@h", ";tag=1"),
        ('""<sip:a@h>', "", "sip:a@h", ""),
        ("sip:a@h;tag=1", None, "sip:a@h", ";tag=1"),
        ("sip:a;b@h;tag=1", None, "sip:a;b@h", ";tag=1"),
        ("sip:a@h;x=b@c", None, "sip:a@h", ";x=b@c"),
        ("sip:h", None, "sip:h", ""),
    ],
)
def test_a_name_addr(text: str, display: str | None, uri: str, params: str) -> None:
    found = NameAddr.parse(f" {text} ")
    assert (found.display, str(found.uri), str(found.params)) == (display, uri, params)
    assert NameAddr.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        '"A" sip:a@h',
        '"A',
        '"',
        '"A\\" <sip:a@h>',
        "<sip:a@h",
        "<sip:a@h> x",
        "<>",
        "A> <sip:a@h>",
        "*",
    ],
)
def test_what_is_no_name_addr(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        NameAddr.parse(text)


def test_a_tag_is_set_and_taken_away() -> None:
    found = NameAddr.parse("<sip:a@h>;tag=1;x")
    assert (found.tag, found.with_tag(None).tag) == ("1", None)
    assert str(found.with_tag("2")) == "<sip:a@h>;tag=2;x"
    assert str(found.with_tag(None)) == "<sip:a@h>;x"
    assert str(found.with_param("y", None)) == "<sip:a@h>;tag=1;x;y"


# -- the grammar beneath


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a, b", ["a", "b"]),
        (" a ", ["a"]),
        ("a,,b,", ["a", "", "b", ""]),
        ('"a,b", c', ['"a,b"', "c"]),
        ('"a\\",b", c', ['"a\\",b"', "c"]),
        ('"a\\\\", c', ['"a\\\\"', "c"]),
        ("<a,b>, c", ["<a,b>", "c"]),
        ('<a"b,c>, d', ['<a"b,c>', "d"]),
        ('"<", a', ['"<"', "a"]),
        ("a>, b", ["a>", "b"]),
    ],
)
def test_a_list_is_split_outside_of_quotes_and_brackets(text: str, parts: list[str]) -> None:
    assert split_outside(text, ",") == parts
    assert split_list(text) == [part for part in parts if part]


def test_brackets_do_not_hide_what_a_parameter_holds() -> None:
    assert split_outside("<a,b>,c", ",", angles=False) == ["<a", "b>", "c"]


@given(st.text(alphabet='a b;,<>"\\', max_size=12), st.sampled_from(",;"), st.booleans())
def test_what_stands_in_no_quotes_and_brackets_is_split_as_all_else(
    text: str, separator: str, angles: bool
) -> None:
    with contextlib.suppress(SipSyntaxError):
        by_character = split_outside(f'{text}{separator}"q"', separator, angles=angles)
        if by_character[-1] == '"q"':
            assert split_outside(text, separator, angles=angles) == by_character[:-1]


@pytest.mark.parametrize("text", ['"a', 'a, "b', '"a\\"', '"'])
def test_a_quoted_string_that_is_not_closed(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        split_outside(text, ",")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a"', "a"),
        ('"a\\"b"', 'a"b'),
        ('""', ""),
        ('"', '"'),
        ('"a', '"a'),
        ('a"', 'a"'),
        (' "a" ', "a"),
    ],
)
def test_quotes_are_taken_off(text: str, value: str) -> None:
    assert unquote(text) == value


def test_parameters_keep_order_case_and_flags() -> None:
    params = Params.parse(' ;A=1; b ;c="x;y";;a=2')
    assert params.items == (("A", "1"), ("b", None), ("c", '"x;y"'), ("a", "2"))
    assert (params.get("a"), params.get("B"), params.get("z"), params.get("z", "d")) == (
        "1",
        "",
        None,
        "d",
    )
    assert ("B" in params, "z" in params, 1 in params, len(params)) == (True, False, False, 4)
    assert params.with_("B", "3").items[1] == ("b", "3")
    assert params.with_("z", None).items[-1] == ("z", None)
    assert params.without("A").items == (("b", None), ("c", '"x;y"'))
    assert str(params) == ';A=1;b;c="x;y";a=2'
    assert Params.parse("a=").items == (("a", ""),)
    with pytest.raises(SipSyntaxError):
        Params.parse("=1")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("h", "h", None), (" h : 5060 ", "h", 5060), ("[::1]", "[::1]", None), ("[::1] : 1", "[::1]", 1), ("a_b-c.d", "a_b-c.d", None)],
)  # fmt: skip
def test_host_and_port(text: str, host: str, port: int | None) -> None:
    assert split_host_port(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    ["", ":1", "h:", "h:x", "[::1", "[::1]x", "[::1]x5", "[::1]:", "[g]", "-", "a..-", "h:70000"],
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        split_host_port(text)
