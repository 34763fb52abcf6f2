"""Audio that is there before the answer: a far end may speak as soon as it has sent its 200, which may come later than its RTP."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.calls.events import MarkHeard
from harness.phone import process
from harness.phone.pool import PhonePool
from harness.sip.sdp import Description
from tests.process.phone.conftest import Desk, connect
from tests.stranger import AUDIO, SESSION, VOICE, Stranger

#: pjlib's own function, which returns late where a media transport starts to listen: 60 ms in which its RTP is there.
SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
typedef int recvfrom_t(void *, void *, void *, long *, unsigned, void *, int *);
int pj_ioqueue_recvfrom(void *key, void *op, void *to, long *size, unsigned flags, void *from, int *length) {
    recvfrom_t *own = (recvfrom_t *)dlsym(dlopen(PJSUA2, RTLD_NOW | RTLD_NOLOAD), "pj_ioqueue_recvfrom");
    int status = own(key, op, to, size, flags, from, length);
    if (flags & 0x80000000u) /* PJ_IOQUEUE_ALWAYS_ASYNC */
        usleep(60000);
    return status;
}
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Phones that are slow where pjproject 2.15 has a race: ``transport_media_start`` against ``on_rx_rtp``."""
    found = importlib.util.find_spec("pjsua2._pjsua2")
    assert found is not None
    source, library = tmp_path / "slow.c", tmp_path / "slow.so"
    source.write_text(SLOW)
    # As in hatch_build.py, with its cache: for another target, or one not stripped, Zig first compiles a runtime for 20 s.
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", f"{os.uname().machine}-linux-gnu.2.17"]
    flags = ["-O2", "-s", "-shared", "-fPIC", "-w", f'-DPJSUA2="{found.origin}"', "-ldl"]
    environment = os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(Path(sys.prefix, "zig-cache"))}
    subprocess.run([*compiler, *flags, "-o", str(library), str(source)], check=True, timeout=300, env=environment)
    ordinary = process.environment()
    monkeypatch.setattr(process, "environment", lambda: {**ordinary, "LD_PRELOAD": str(library)})
    with PhonePool(tmp_path) as pool:
        desk = Desk(pool, tmp_path)
        yield desk
        desk.close()


def test_rtp_that_comes_before_the_answer_stops_no_stream(slow: Desk, stranger: Stranger) -> None:
    """It did, once in thousands of calls: of what came then nothing was ever read, and the far end was told to be silent."""
    alice = slow("alice")
    connect(slow("bob"), slow("carol"))  # keeps the thread awake that reads RTP
    leg = alice.dial(f"sip:anybody@{stranger.address}")
    invite = stranger.request("INVITE")
    rtp = Description.parse(invite.body).rtp
    assert rtp is not None
    stranger.speaks_to(rtp[1], alice)
    session = (SESSION + AUDIO).format(host=stranger.host, port=stranger.rtp.getsockname()[1]).replace("\n", "\r\n")
    contact = ("Contact", f"<sip:anybody@{stranger.address}>")
    stranger.respond(invite, 200, (contact, ("Content-Type", "application/sdp")), session)
    leg.wait("its voice", lambda e: isinstance(e, MarkHeard) and e.mark == VOICE, 5)
    leg.hangup()
    stranger.respond(stranger.request("BYE"), 200)
