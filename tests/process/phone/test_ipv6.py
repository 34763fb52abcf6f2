"""IPv6, if the installed pjsua2 supports it; otherwise one line says so, and the phone's process
goes on.
"""

from __future__ import annotations

import pytest

from harness.errors import ResourceError
from tests.process.phone.conftest import Authority, Desk, connect, hears


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_an_ipv6_address_carries_calls_or_is_refused(
    lease: Desk, authority: Authority, transport: str
) -> None:
    options: dict[str, object] = {"tls": authority.server("::1")} if transport == "tls" else {}
    refused = ""
    try:
        alice = lease("alice", bind_address="::1", transport=transport, **options)
    except ResourceError as error:
        refused = str(error)
    if refused:
        assert (
            refused
            == f"phone alice cannot open {transport} [::1]: the installed pjsua2 has no IPv6; use IPv4"
        )
        return
    out, back = connect(alice, lease("bob", bind_address="::1", transport=transport, **options))
    hears(out, back)
    hears(back, out)
