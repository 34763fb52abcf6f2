"""One call's record in forms that neither the project's own far end nor the documentation has: its moments and its numbers."""

from __future__ import annotations

import pytest

from harness.witness.call_record import CallRecord
from harness.witness.clock_offset import ClockOffset

ASSISTANT = "+18085550160"
AT = 1_795_397_682.5


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 23 Nov 2026 01:34:42 GMT",
        "Monday, 23-Nov-26 01:34:42 GMT",
        "Mon Nov 23 01:34:42 2026",
        "Mon, 23 Nov 2026 01:34:42 -0000",
        "Mon, 23 Nov 2026 01:34:42",
    ],
)
@pytest.mark.usefixtures("far_from_greenwich")
def test_a_date_is_in_utc_in_each_of_its_forms(date: str) -> None:
    """RFC 9110 section 5.6.7; where it was taken for this machine's own time, every call of the harness was an earlier one."""
    told, offset = AT - 0.5, ClockOffset()
    offset.note(told + 0.1, told + 0.2, date)
    assert offset.seconds == 0.0
    assert -0.3 < offset.least < 0.0


@pytest.mark.parametrize("told", ["2026-11-23T01:34Z", "2026-11-23 01:34+00:00", "2026-11-23T01Z", "20261123T0134Z"])
def test_a_moment_to_the_minute_is_not_known(told: str) -> None:
    """Of which part of the minute it is, nobody knows: a call of the harness would be an earlier one."""
    assert CallRecord("c1", {"start_time": told}).is_since(AT) is None
    assert CallRecord("c1", {"start_time": "20261123T013442Z"}).is_since(AT) is True


@pytest.mark.parametrize(
    "spelled",
    [
        "sip:%2B18085550160@sip.example",  # RFC 3261 section 19.1.2
        "%2b18085550160",
        "+1\u2011808\u2011555\u20110160",  # hyphens and blanks that break no line
        "+1\u00a0808\u00a0555\u202f0160",
        "\u200e+18085550160",  # the mark of where left-to-right begins
        "＋18085550160",
    ],
)
def test_a_number_in_other_signs_than_ascii_or_escaped(spelled: str) -> None:
    record = CallRecord("c1", {"phone_number_to": spelled, "phone_number_from": spelled})
    assert (record.number_to, record.number_from) == (ASSISTANT, ASSISTANT)


@pytest.mark.parametrize(
    "behind", [";cpc=ordinary", ";npdi;rn=+18085550100", ";ext=5", ";phone-context=+1", "@sip.example:5060;user=phone"]
)
@pytest.mark.parametrize("number", [ASSISTANT, "1-808-555-0160", "18085550160"])
def test_what_a_carrier_puts_behind_a_number_is_no_part_of_it(number: str, behind: str) -> None:
    """RFC 3966 section 3, RFC 4694 section 4: a user with its parameters, as the From or the Request-URI had it."""
    of_uri = f"sip:{number}{behind}" if "@" in behind else f"sip:{number}{behind}@x.example"
    record = CallRecord("c1", {"phone_number_to": number + behind, "phone_number_from": of_uri})
    assert (record.number_to, record.number_from) == (ASSISTANT, ASSISTANT)
    assert CallRecord("c1", {"phone_number_to": f"{ASSISTANT[:-4]}****{behind}"}).number_to is None
