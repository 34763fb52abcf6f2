"""URIs and name-addr."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.grammar import Params, SipSyntaxError, split_list, split_outside
from harness.sip.headers import Via
from harness.sip.uri import NameAddr, Uri


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:alice@example.com", "alice", "example.com", None),
        ("SIP:alice@example.com:5070", "alice", "example.com", 5070),
        ("sips:+12065550100@sip.us.example.com:32682", "+12065550100", "sip.us.example.com", 32682),
        ("sip:127.0.0.1:5060", None, "127.0.0.1", 5060),
        ("sip:a@[2001:db8::1]:5060", "a", "[2001:db8::1]", 5060),
        ("sip:alice;day=tuesday@atlanta.com", "alice;day=tuesday", "atlanta.com", None),
        ("sip:1?2@example.com", "1?2", "example.com", None),
        ("sip:%61lice@example.com", "alice", "example.com", None),
        ("tel:+1-206-555-0100;phone-context=example.com", "+1-206-555-0100", "", None),
    ],
)
def test_parts(text: str, user: str | None, host: str, port: int | None) -> None:
    uri = Uri.parse(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)
    assert Uri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "alice@example.com",
        "sip:@example.com",
        "sip:a@b@c",
        "sip:a@b:port",
        "sip:a@b:70000",
        "sip:a@b:-1",
        "sip:a%zz@b",
        "sip:a b@c",
        "sip:a@[::1",
        "sip:a@b?X",
        "tel:",
        "sip:a@b;=x",
        "<sip:a@b>",
        "sip",
        ":x",
        "1sip:x",
        "sip:a b",
        "sip:a@h>",
        "sip:<a@h",
        "tel:;x=1",
        "sip:@h",
        "sip::secret@h",
        "sip:a@b@h",
        "sip:a%4@h",
        "sip:a:%zz@h",
        "sip:h?x",
        "sip:h?=x",
        "sip:h?x=1&",
        "sip:h?x%=1",
        "sip:h?x=%1",
        "sip:h:65536",
        "sip:h:x",
        "sip:[2001:db8::1",
        "sip:[x]",
        "sip:-h",
        "tel:%4",
    ],
)
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        Uri.parse(text)


def test_uri_headers_are_unescaped_and_escaped_again() -> None:
    uri = Uri.parse("sip:b@example.com?Replaces=12345%40192.0.2.1%3Bto-tag%3D1%3Bfrom-tag%3D2&X-Topic=billing%20now")
    assert uri.header("replaces") == "12345@192.0.2.1;to-tag=1;from-tag=2"
    assert uri.header("X-Topic") == "billing now"
    assert Uri.parse(str(uri)) == uri
    made = Uri.parse("sip:g@company.sip.gladly.example;transport=tls").with_header("X-Gladly-Routing-Selector", "a&b=c")
    assert str(made).endswith(";transport=tls?X-Gladly-Routing-Selector=a%26b%3Dc")
    assert Uri.parse(str(made)).header("X-Gladly-Routing-Selector") == "a&b=c"
    assert str(made.without_headers()) == "sip:g@company.sip.gladly.example;transport=tls"


def test_where_a_uri_leads() -> None:
    assert (Uri.parse("sip:a@b").transport, Uri.parse("sip:a@b").effective_port) == ("udp", 5060)
    assert (Uri.parse("sips:a@b").transport, Uri.parse("sips:a@b").effective_port) == ("tls", 5061)
    assert Uri.parse("sip:a@b;transport=TLS").effective_port == 5061
    assert Uri.parse("sip:a@b:1;transport=tcp").effective_port == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [  # the examples of RFC 3261 section 19.1.4
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", True),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", True),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on", True),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            True,
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            True,
        ),
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", False),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", False),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", False),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", False),
        # and others
        ("sip:a@h", "sips:a@h", False),
        ("tel:+12065550100", "TEL:+12065550100", True),
        ("sip:a@H;Transport=UDP", "sip:a@h;transport=udp", True),
        ("sip:a@h;transport=udp", "sip:a@h", False),
        ("sip:a@h;x=1", "sip:a@h", True),
        ("sip:a@h;x=1", "sip:a@h;x=2", False),
        ("sip:a@h", "sip:A@h", False),
        ("sip:a@h:5060", "sip:a@h", False),
        ("sip:a@h?X-One=1&X-Two=2", "sip:a@h?x-two=2&x-one=1", True),
        ("sip:a@h?X-One=1", "sip:a@h", False),
    ],
)
def test_equality(one: str, other: str, same: bool) -> None:
    assert Uri.parse(one).matches(Uri.parse(other)) is same
    assert Uri.parse(other).matches(Uri.parse(one)) is same


@pytest.mark.parametrize(
    ("text", "display", "user", "tag"),
    [
        ('"Bob" <sip:bob@b.com>;tag=a', "Bob", "bob", "a"),
        ("Bob Smith <sip:bob@b.com>", "Bob Smith", "bob", None),
        ("sip:bob@b.com;tag=a", None, "bob", "a"),
        ("<sip:bob@b.com;tag=uri>", None, "bob", None),
        ('"a \\"b\\" <c>, d" <sip:bob@b.com>', 'a "b" <c>, d', "bob", None),
        ('"" <sip:bob@b.com>', "", "bob", None),
        ("Bob, O'Neil & Söhne (Berlin) <sip:bob@b.com>;tag=a", "Bob, O'Neil & Söhne (Berlin)", "bob", "a"),
        ("sip:a;b=c@d.com;tag=1", None, "a;b=c", "1"),
    ],
)
def test_name_addr(text: str, display: str | None, user: str, tag: str | None) -> None:
    address = NameAddr.parse(text)
    assert (address.display, address.uri.user, address.tag) == (display, user, tag)
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        '"Bob <sip:b@c>',
        "<sip:b@c",
        "<sip:b@c> x",
        '"Bob" sip:b@c',
        "*",
        '"A" sip:a@h',
        '"A',
        '"A\\" <sip:a@h>',
        "<sip:a@h",
        "<sip:a@h> x",
        "<>",
        "A> <sip:a@h>",
        '"',
    ],
)
def test_what_is_no_name_addr(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        NameAddr.parse(text)


def test_tags_come_and_go() -> None:
    address = NameAddr.parse("<sip:b@c>;x=1;tag=old;y")
    assert str(address.with_tag("new")) == "<sip:b@c>;x=1;tag=new;y"
    assert str(address.with_tag(None)) == "<sip:b@c>;x=1;y"


def test_lists_split_only_where_they_may() -> None:
    assert split_list('"a,b" <sip:x,y@z>;p="q,r", sip:c@d') == ['"a,b" <sip:x,y@z>;p="q,r"', "sip:c@d"]
    with pytest.raises(SipSyntaxError):
        split_list('"a, b')


def test_params_keep_order_case_and_flags() -> None:
    params = Params.parse(';Transport=TLS;lr;x="a;b"')
    assert params.items == (("Transport", "TLS"), ("lr", None), ("x", '"a;b"'))
    assert (params.get("TRANSPORT"), params.get("lr"), params.get("none")) == ("TLS", "", None)
    assert str(params.without("LR").with_("transport", "tcp")) == ';Transport=tcp;x="a;b"'


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_user_can_be_written(user: str) -> None:
    uri = Uri("sip", user, "example.com", headers=(("X-User", user),))
    again = Uri.parse(str(uri))
    assert (again.user, again.header("X-User")) == (user, user)


@given(st.text(max_size=40))
def test_garbage_gives_a_syntax_error_or_a_value(text: str) -> None:
    for parse in (Uri.parse, NameAddr.parse, Params.parse):
        with contextlib.suppress(SipSyntaxError):
            parse(text)
        with contextlib.suppress(SipSyntaxError):
            parse("sip:" + text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (NameAddr, '"A" <sip:a@example.com>;tag=1'),
        (Uri, "sip:a@example.com;lr"),
        (Via, "SIP/2.0/UDP example.com;branch=z9hG4bK1"),
    ],
)
def test_the_same_text_is_read_once_and_a_mistake_is_one_each_time(kind: type[NameAddr | Uri | Via], text: str) -> None:
    assert kind.parse(text) is kind.parse(text)
    for _ in range(2):
        with pytest.raises(SipSyntaxError):
            kind.parse("<")


@given(st.text(alphabet='a b;,<>"\\', max_size=12), st.sampled_from(",;"), st.booleans())
def test_what_stands_in_no_quotes_and_brackets_is_split_as_all_else(text: str, separator: str, angles: bool) -> None:
    with contextlib.suppress(SipSyntaxError):
        quoted = split_outside(
            f'{text}{separator}"q"', separator, angles=angles
        )  # which has to be looked at by character
        if quoted[-1] == '"q"':
            assert split_outside(text, separator, angles=angles) == quoted[:-1]


@pytest.mark.parametrize(
    ("kind", "text"), [(NameAddr, "<sip:a@b>;tag="), (Uri, "sip:a@b;x="), (Via, "SIP/2.0/UDP a;branch=")]
)
def test_what_a_stranger_writes_at_length_is_not_kept(kind: type[NameAddr | Uri | Via], text: str) -> None:
    long = text + "1" * 60_000
    assert kind.parse(long) == kind.parse(long)
    assert kind.parse(long) is not kind.parse(long)
    assert kind.parse(text + "1") is kind.parse(text + "1")
