from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.case.verdict import Verdict
from harness.support.mask import mask_fields, mask_name, mask_number, mask_plain, mask_text

#: Of an Identity header (RFC 8224):
#: {"dest":{"tn":["13125550100"]},"iat":1,"orig":{"tn":"13125550142"}}, and a signature.
CLAIMS = (
    "eyJkZXN0Ijp7InRuIjpbIjEzMTI1NTUwMTAwIl19LCJpYXQiOjEsIm9yaWciOnsidG4iOiIxMzEyNTU1MDE0MiJ9fQ"
)
SIGNED = "rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+13125550100", "+1312•••0100"),
        ("call +1 312 555-0100 now", "call +1312•••0100 now"),
        ("+1 (312) 555-0100", "+1312•••0100"),
        ("<sip:+13125550100@127.0.0.1:5060>", "<sip:+1312•••0100@127.0.0.1:5060>"),
        ("sip:3125550100@host", "sip:312•••0100@host"),
        ("tel:3125550100", "tel:312•••0100"),
        ("sip:5550100@host", "sip:5••0100@host"),
        ("%2B13125550100", "%2B1312•••0100"),
        ("O.+13125550100;", "O.+1312•••0100;"),
        ("the caller is 3125550100.", "the caller is 312•••0100."),
        ("the caller is 1515550155.", "the caller is 151•••0155."),
        ("S.13125550100;E.x", "S.1312•••0100;E.x"),
        (
            '"Wireless (312) 555-0100" <sip:312-555-0100@h>',
            '"Wireless 312•••0100" <sip:312•••0100@h>',
        ),
        ("call me at 312 555 0100, or 1-312-555-0142", "call me at 312•••0100, or 1312•••0142"),
        ("312.555.0100", "312•••0100"),
        ("I put you through to 020 7946 0155.", "I put you through to 0207•••0155."),
        (
            "(0161) 496 0155, 030/5550155 or 0151 55501555",
            "0161•••0155, 030•••0155 or 0151••••1555",
        ),
        ("03-5550-0155, 01 55 50 01 55", "035•••0155, 015•••0155"),
        (
            "08-03-2026 10:15, 01 2026, 00:01:02 030 123",
            "08-03-2026 10:15, 01 2026, 00:01:02 030 123",
        ),
        ("a=rtpmap:0 PCMU/8000, 0 3900", "a=rtpmap:0 PCMU/8000, 0 3900"),
        ("01.55.50.01.55 ou 06-55-50-01-55", "015•••0155 ou 065•••0155"),
        (
            "+33\u00a01\u00a055\u202f50\u202f01\u202f55, +49 30/5550155, +49 30 / 5550155",
            "+3315•••0155, +4930•••0155, +4930•••0155",
        ),
        (
            "0049 30 5550155, 00 44 20 7946 0155 or 00442079460155",
            "0049•••••0155, 0044••••••0155 or 0044••••••0155",
        ),
        ("from:0049-30-5550155", "from:0049•••••0155"),
        (
            "312\u2011555\u20110100 or +1\u2013312\u2013555\u20130100, (020)\u00a07946\u00a00155",
            "312•••0100 or +1312•••0100, 0207•••0155",
        ),
        ("13125550100.0 and 3125550100.0", "1312•••0100.0 and 312•••0100.0"),
        ("<sips:(020)7946.0155@h;user=phone>", "<sips:0207•••0155@h;user=phone>"),
        ("tel:020-7946-0155;phone-context=+44", "tel:0207•••0155;phone-context=+44"),
        (
            "sip:192.0.2.155 and sip:192.0.2.155:5060 at 2026-11-23 21:28:49",
            "sip:192.0.2.155 and sip:192.0.2.155:5060 at 2026-11-23 21:28:49",
        ),
        (
            "id 123-456-7890-12, 192.0.2.1-192.0.2.99, 1.312.555.0100.2",
            "id 123-456-7890-12, 192.0.2.1-192.0.2.99, 1.312.555.0100.2",
        ),
        ("1795163572.3580668123", "1795163572.3580668123"),
        (
            "at 1795163572.0, 1795163572.04 and 17951635720.05",
            "at 1795163572.0, 1795163572.04 and 17951635720.05",
        ),
        *(
            (readable, readable)
            for readable in (
                "2026-11-23T21:28:49+00:00, 23.11.2026 21:28, 23/11/2026, 08.03.26 10.15, 08-03-26 10-15-42",
                "Mon, 23 Nov 2026 21:28:49 +0000; 00:01:02.345, 0:00:12, 21:28:00 12345678, PT15M, 01.02.03.04",
                "192.0.2.1\u2013192.0.2.99, 127.0.0.1:32681, 10.0.12.34/24, 2001:db8::1:0",
                "2.15.1.post1, 0.1.0, pjsua2 1.0.2, 01.12.2026\u201303.12.2026, ports 30000\u201330099",
                "m12, 3f001234567, build-001234567, 7.00123456789, +12.5 / -3 dB, 0.05 of 1000, 3 - 5 s",
                "00 12 34 56",
            )
        ),
        (
            "no number: 127.0.0.1:32681, 20261120T080300Z-1234",
            "no number: 127.0.0.1:32681, 20261120T080300Z-1234",
        ),
        (
            'Digest username="a", response="0a1b", cnonce="xyz"',
            'Digest username="a", response="•••", cnonce="•••"',
        ),
        (
            f"Identity: eyJhbGciOiJFUzI1NiJ9.{CLAIMS}.{SIGNED};info=<h>",
            "Identity: eyJhbGciOiJFUzI1NiJ9.•••.•••;info=<h>",
        ),
        (
            f"y:..{SIGNED};info=<https://x.example/a.pem>",
            "y:.•••.•••;info=<https://x.example/a.pem>",
        ),
    ],
)
def test_every_form_a_number_comes_in(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def test_equal_numbers_stay_equal_and_others_apart() -> None:
    assert mask_number("+13125550100") == mask_number("+1 312 555 0100")
    assert mask_number("+13125550100") != mask_number("+13125550142")


def test_names_are_ascii() -> None:
    assert mask_name("leg-+13125550100.wav") == "leg-+1312xxx0100.wav"


def test_plain_data_is_masked_to_its_depth() -> None:
    plain = {
        "+13125550100": [
            {"from": 13125550100, "ms": 1200, "ok": True, "none": None, "level": -12.5}
        ]
    }

    assert mask_plain(plain) == {
        "+1312•••0100": [
            {"from": "1312•••0100", "ms": 1200, "ok": True, "none": None, "level": -12.5}
        ]
    }


@dataclass(frozen=True)
class Step:
    message: str
    verdict: Verdict = Verdict.FAILED
    packets: int = 13125550100


@dataclass(frozen=True)
class Load:
    steps: list[Step]
    notes: tuple[str, ...]
    asked: dict[str, str]
    first: Step | None = None


def test_a_dataclass_stays_one() -> None:
    load = Load(
        [Step("+13125550100 is busy")], ("of +13125550100",), {"line": "+13125550100"}, Step("none")
    )
    masked = Load(
        [Step("+1312•••0100 is busy")], ("of +1312•••0100",), {"line": "+1312•••0100"}, Step("none")
    )

    assert mask_fields(load) == masked
    assert mask_fields(load).steps[0].verdict is Verdict.FAILED
