"""Where a call's media may come from."""

from __future__ import annotations

from harness.phone.child.taps import Known, spelled
from harness.phone.rtp_log import Address


def place(last: int, port: int, network: int = 127) -> Address:
    return bytes([network, 0, 0, last]), port


def test_the_host_of_the_sdp_from_any_port() -> None:
    """RFC 4961 recommends the port of the SDP, and nothing demands it."""
    known = Known()
    known.add_end(place(9, 4000))
    assert known.includes(place(9, 4000))
    assert known.includes(place(9, 4444))
    assert not known.includes(place(8, 4000))
    assert known.strange == {place(8, 4000): 1}


def test_what_an_earlier_sdp_named_counts_on() -> None:
    """A party that speaks on after a transfer is to be heard."""
    known = Known()
    known.add_end(place(9, 4000))
    known.add_end(place(7, 4000))
    assert known.includes(place(9, 4000))


def test_media_that_comes_from_another_host_than_the_sdp_names() -> None:
    known = Known()
    known.add_host("203.0.113.5")
    known.includes((bytes([203, 0, 113, 5]), 1234))
    assert known.elsewhere == "", "no SDP has named any yet"
    known.add_end(place(9, 4000, network=10))
    assert known.elsewhere == "203.0.113.5"
    known.includes(place(9, 4000, network=10))
    assert known.elsewhere == "", "it comes from there as well"


def test_the_wildcard_address_of_this_machine_is_no_other_host() -> None:
    known = Known()
    known.add_host("127.0.0.1")
    known.add_end(place(9, 4000))
    known.includes(place(1, 4000))
    assert known.elsewhere == ""


def test_an_agent_bound_to_the_wildcard_address_on_this_machine() -> None:
    known = Known()
    known.add_end(place(9, 4000))
    assert known.includes(place(1, 4000))
    assert not known.includes(place(1, 4002))
    elsewhere = Known()
    elsewhere.add_end(place(9, 4000, network=10))
    assert not elsewhere.includes(place(1, 4000))


def test_many_sources_are_counted_together() -> None:
    known = Known()
    for number in range(100):
        known.includes(place(2, number))
    assert len(known.strange) <= 21
    assert sum(known.strange.values()) == 100
    assert {"127.0.0.2:5", "others"} <= {spelled(source) for source in known.strange}
