from __future__ import annotations

import random
from ipaddress import ip_address
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.phone.rtp_log import RtpLog, path_of, read, record
from tests.disk import full_beyond

FOUR = (ip_address("192.0.2.7").packed, 40_000)
SIX = (ip_address("2001:db8::7").packed, 40_002)


def test_the_log_of_a_killed_writer_can_be_read(tmp_path: Path) -> None:
    path = path_of(tmp_path, "caller.1")
    log = RtpLog(path)
    for number in range(200):
        log.sent(record(float(number), bytes(160)))
    assert 100 < len(list(read(path))) < 200


@given(st.integers(1, 10_000), st.integers(0, 300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_disk_that_was_full_for_a_while_leaves_no_hole(
    tmp_path: Path, room: int, more: int
) -> None:
    path = path_of(tmp_path, "caller.1")
    path.unlink(missing_ok=True)
    log = RtpLog(path)
    octets = random.Random(room).randbytes
    made = [octets(172) for _ in range(64 + more)]
    with full_beyond(room):
        for packet in made[:64]:
            log.sent(record(1.0, packet))
    for packet in made[64:]:
        log.sent(record(2.0, packet))
    log.close()
    found = [packet.octets for packet in read(path)]
    assert found == made[: len(found)]


@given(st.integers(0, 2_000), st.binary(min_size=1, max_size=20))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_log_is_read_up_to_the_damage(tmp_path: Path, where: int, damage: bytes) -> None:
    path = path_of(tmp_path, "caller.1")
    path.unlink(missing_ok=True)
    log = RtpLog(path)
    for number in range(40):
        log.received(FOUR, record(float(number), bytes([number]) * 40))
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:where] + damage + whole[where + len(damage) :])
    assert len(list(read(path))) <= 60
