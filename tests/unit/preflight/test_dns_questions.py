"""Questions to DNS, of a machine that has several name servers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.resolver
import dns.rrset
import pytest

from harness.witness.ports import dns_questions

ADDRESS = "192.0.2.7"


class NameServer(dns.nameserver.Do53Nameserver):
    """One that answers, or is dead; the time that is waited for it passes on a clock of the test's."""

    def __init__(self, clock: SimpleNamespace, *, dead: bool) -> None:
        super().__init__("192.0.2.53")
        self._clock, self._dead = clock, dead

    async def async_query(self, request: dns.message.QueryMessage, **options: Any) -> Any:  # type: ignore[override]
        if self._dead:
            self._clock.now += options["timeout"]
            raise dns.exception.Timeout(timeout=options["timeout"])  # type: ignore[no-untyped-call]
        response = dns.message.make_response(request)
        response.answer.append(dns.rrset.from_text(request.question[0].name, 60, "IN", "A", ADDRESS))
        return dns.message.from_wire(response.to_wire())


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_one_that_is_dead_does_not_end_the_search(monkeypatch: pytest.MonkeyPatch, dead: int) -> None:
    """The softphones' lookups go on to the next as well (resolv.conf(5))."""
    clock = SimpleNamespace(now=1000.0)
    servers = [*(NameServer(clock, dead=True) for _ in range(dead)), NameServer(clock, dead=False)]
    for module in (dns.asyncresolver, dns.resolver):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: clock.now))
    monkeypatch.setattr(
        dns.resolver.BaseResolver, "read_resolv_conf", lambda resolver, _: setattr(resolver, "nameservers", servers)
    )
    resolver = dns_questions.system_resolver(5.0)
    [answer] = asyncio.run(dns_questions.ask(resolver, "sip.carrier.example", "A"))
    assert not isinstance(answer, str), answer
    assert [record.address for record in answer] == [ADDRESS]
    assert clock.now <= 1005.0
