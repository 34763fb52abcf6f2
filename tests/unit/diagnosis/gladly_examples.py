"""Examples of Gladly's headers and transport."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import CALLER
from tests.unit.diagnosis.stories import Expected, refused, talk


def _gladly(row: str, **invite: object) -> Example:
    return talk(Example("gladly", row, transport="tls"), **invite)


def _header(name: str, values: list[str], value: str | None) -> Example:
    return _gladly("GL-HEADER-CALLER").finding("header", "assistant main", header=name, values=values, value=value)


GLADLY = [
    Expected(
        "gladly.in-the-clear",
        refused(Example("gladly", "GL-INBOUND", transport="tls"), 403, "TLS required", over="udp", tls=False),
        ("tls-not-appended",),
    ),
    Expected("gladly.caller.missing", _header("X-Gladly-Caller-Id", [], CALLER), ("caller-header-missing",)),
    Expected(
        "gladly.caller.plus", _header("X-Gladly-Caller-Id", [CALLER[1:]], CALLER), ("caller-header-without-plus",)
    ),
    Expected("gladly.caller.wrong", _header("X-Gladly-Caller-Id", ["+12015550199"], CALLER), ("caller-header-wrong",)),
    Expected(
        "gladly.selector.unwanted", _header("X-Gladly-Routing-Selector", ["billing"], None), ("selector-unwanted",)
    ),
    Expected("gladly.selector.missing", _header("X-Gladly-Routing-Selector", [], "billing"), ("selector-missing",)),
    Expected(
        "gladly.selector.wrong", _header("X-Gladly-Routing-Selector", ["support"], "billing"), ("selector-wrong",)
    ),
    Expected("gladly.repeated", _header("X-Gladly-Caller-Id", [CALLER, CALLER], CALLER), ("header-repeated",)),
    Expected(
        "gladly.repeated.selector",
        _header("X-Gladly-Routing-Selector", ["billing", "billing"], "billing"),
        ("header-repeated",),
    ),
]
