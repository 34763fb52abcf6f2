"""Where a call in the clear goes: nobody speaks in the clear at TLS's own port, so that it would show nothing there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.phone import PhoneConfig
from harness.scenario.ai import Ai
from tests.unit.scenario.conftest import MakeContext


@pytest.mark.parametrize(
    ("termination", "transport", "place"),
    [
        ("acme.sip.example:5061", "udp", "acme.sip.example"),
        ("acme.sip.example:5061", "tcp", "acme.sip.example"),
        ("[2001:db8::7]:5061", "tcp", "[2001:db8::7]"),
        ("acme.sip.example:5071", "udp", "acme.sip.example:5071"),  # a port of its own says nothing of a transport
        ("acme.sip.example", "udp", "acme.sip.example"),
        ("acme.sip.example:5061", None, "acme.sip.example:5061"),  # over the trunk's own
    ],
)
def test_a_call_in_the_clear_goes_where_it_may_be_taken(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, termination: str, transport: Any, place: str
) -> None:
    """RFC 3261 section 19.1.2: 5061 is TLS's, and 5060 that of the others."""
    context = make_context(ai="stand-in")
    trunk = context.trunk.model_copy(update={"transport": "tls", "termination": termination})
    context.__dict__["trunk"] = trunk
    stand_in = context.deployment.stand_in.model_copy(update={"bind": "127.0.0.9"})
    context.deployment = context.deployment.model_copy(update={"stand_in": stand_in})
    dialled: list[tuple[str, PhoneConfig]] = []

    def lease(config: PhoneConfig, **_: Any) -> Any:
        def dial(uri: str) -> Any:
            dialled.append((uri, config))
            return SimpleNamespace(id="ai.1", events=[], successor=None)

        return SimpleNamespace(dial=dial)

    monkeypatch.setattr(context.phones, "lease", lease)
    Ai(context).calls("+13125550142", transport=transport)
    ((uri, config),) = dialled
    assert uri.partition(";")[0] == f"sip:+13125550142@{place}"
    assert config.proxy == place, "and no proxy leads it elsewhere"
