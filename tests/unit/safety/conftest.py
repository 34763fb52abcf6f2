"""A lab deployment for the safety rules."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from harness.deployment import Deployment, from_plain

LAB = """
name = "lab"
integration = "talkdesk"
kind = "live"
platform = { domain = "acme.example", host = "127.9.9.1", port = 5060 }
accounts.carrier = { domain = "carrier.example", host = "127.9.9.3", port = 5060 }
phones.caller = { account = "carrier", number = "+14155550101" }
phones.billing = { account = "carrier", user = "agent-billing" }
groups.billing = { did = "+18155550101", agents = ["billing"] }
assistants.main = { did = "+12065550100", transfer = "cold", transfer_to = "billing" }
lines.inbound = { did = "+13125550100", trunk = "udp-ip", assistant = "main" }
lines.other = { did = "+13125550101", trunk = "tcp-ip", assistant = "main" }
numbers.no_such_number = "+17735550199"

[[trunks]]
name = "udp-ip"
transport = "udp"
port = 32681
host = "127.9.9.2"
termination = "127.9.9.1:5060"

[[trunks]]
name = "tcp-ip"
transport = "tcp"
port = 32681
host = "127.9.9.2"
termination = "127.9.9.1:5060"
"""


class Lab:
    """Makes the deployment with changed keys; ``__`` separates the parts of a path."""

    def __call__(self, **changes: Any) -> Deployment:
        plain = tomllib.loads(LAB)
        for dotted, value in changes.items():
            *path, last = dotted.split("__")
            table = plain
            for part in path:
                table = table.setdefault(part, {})
            table[last] = value
        return from_plain(plain)


HOST = "carrier.example"


@pytest.fixture
def lab() -> Lab:
    return Lab()
