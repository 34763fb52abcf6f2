"""Which headers of a response pjsip must not see."""

from __future__ import annotations

import pytest

from harness.phone.child.unsafe_headers import UnsafeHeaders


def response(status: int, method: str, call_id: str = "one") -> str:
    return f"SIP/2.0 {status} x\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n"


@pytest.mark.parametrize(
    ("header", "is_out"),
    [
        ("Contact: <sip:a@192.0.2.1>;expires=60", False),
        ("Contact: <SIPS:a@192.0.2.1>", False),
        ('Contact: "<tel:911>" <sip:a@192.0.2.1>', False),
        ('Contact: "a \\" <tel:1>" <sip:a@192.0.2.1>', False),
        ("Contact: <tel:911>", True),
        ('Contact: "<sip:a@b>" <http://x/>', True),
        ("Contact: *", True),
        ("Record-Route: <sip:192.0.2.1;lr>", False),
        ("Record-Route: <tel:911;lr>", True),
        ("Expires: 4294967295", False),  # of an INVITE
    ],
)
def test_where_a_dialog_leads(header: str, is_out: bool) -> None:
    assert UnsafeHeaders().of(response(200, "INVITE"), [header]) == [is_out]
    assert UnsafeHeaders().of(response(302, "INVITE"), [header]) == [False], "a redirection is followed nowhere"


@pytest.mark.parametrize("seconds", [0, 1, 3600, 2**31 - 1, 2**31, 2**32 - 1, 10**4000])
def test_how_long_a_registration_lasts(seconds: int) -> None:
    digits = "9" * 4001 if seconds == 10**4000 else str(seconds)
    headers = [f"Expires: {digits}", f"Contact: <sip:a@192.0.2.1>;q=1;expires={digits}"]
    assert UnsafeHeaders().of(response(200, "REGISTER"), headers) == [seconds >= 2**31] * 2


@pytest.mark.parametrize(
    ("seconds", "is_out"),
    [
        ("0", True),
        ("1", True),
        ("2", False),
        ("120", False),
        (str(2**32 + 1), True),
        ("1" * 4001, True),
        ("soon", True),
    ],
)
def test_how_often_a_registrar_wants_to_be_pinged(seconds: str, is_out: bool) -> None:
    assert UnsafeHeaders().of(response(200, "REGISTER"), [f"Flow-Timer: {seconds}"]) == [is_out]


@pytest.mark.parametrize("each", [1, 3])
def test_no_more_routes_than_there_are_places_for(each: int) -> None:
    header = "Service-Route: " + ", ".join(["<sip:192.0.2.1;lr>"] * each)
    for count in range(1, 12):
        out = UnsafeHeaders().of(response(200, "REGISTER"), [header] * count)
        assert out == [count * each > 8] * count


def test_a_registrar_has_one_shortest_interval() -> None:
    known, header = UnsafeHeaders(), ["Min-Expires: 600"]
    seen = [
        (status, known.of(response(status, "REGISTER"), header)[0]) for status in (423, 401, 423, 423, 200, 423, 423)
    ]
    assert seen == [(423, False), (401, False), (423, True), (423, True), (200, False), (423, False), (423, True)]
    assert known.of(response(423, "REGISTER", "another"), header) == [False]
