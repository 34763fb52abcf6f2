"""What a refusal or a BYE says of its reason sharpens the diagnosis, and is quoted in it."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.told_examples import (
    refused_by_ai,
    taken_and_ended,
)


@pytest.mark.parametrize(
    ("warning", "what"),
    [
        ('305 gw.example:5080 "SDP: b=AS"', "the codec"),
        ('302 gw.example "Incompatible transport protocol"', "the encryption"),
        ('370 192.0.2.77 "Insufficient Bandwidth"', "congestion"),
        ('301 gw.example "Incompatible network address formats"', None),
        ('304 gw.example "Media type not available"', None),
        ('399 gw.example "Congestion", 305 gw.example "x"', "congestion"),
        ('399 gw.example "x", 370 gw.example "x"', "congestion"),
    ],
)
def test_a_warning_is_read_by_its_code_where_its_words_say_nothing(warning: str, what: str | None) -> None:
    """RFC 3261 section 20.43."""
    assert facts_of(refused_by_ai(606, "Not Acceptable", Warning=warning)).value("ai.refusal") == what


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        ("Q.850;cause=88", "the codec"),
        ('Q.850;cause=65;text="BEARERCAPABILITY_NOTIMPL"', "the codec"),
        ("SIP;cause=488", "the codec"),
        ("SIP;cause=415", "the codec"),
        ("SIP;cause=414", None),
        ('SIP ;cause=606 ;text="no media format in common"', "the codec"),
        ("Q.850;cause=16, SIP;cause=488", "the codec"),
        ('SIP;cause=488;text="SRTP required"', "the encryption"),
        ("Q.850;cause=42", "congestion"),
        ("Q.850;cause=34", "the channels"),
        ("Q.850;cause=3", "the route"),
        ("Q.850;cause=16", None),
        ('SIP;cause=200;text="Call completed elsewhere"', None),
        ("X.int;reasoncode=0x00000000;add-info=05CC.0001.0001", None),
        ("SIP;cause=503", None),
        ("Q.850;cause=", None),
    ],
)
def test_what_a_bye_was_sent_for(reason: str, what: str | None) -> None:
    assert facts_of(taken_and_ended(reason)).value("call.reason") == what
