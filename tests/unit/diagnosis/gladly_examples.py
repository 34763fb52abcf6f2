"""Examples of Gladly's headers and transport."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import CALLER
from tests.unit.diagnosis.stories import Expected, refused, talk


def _gladly(row: str, **invite: object) -> Example:
    return talk(Example("gladly", row, transport="tls"), **invite)


def _header(name: str, values: list[str], value: str | None) -> Example:
    return _gladly("GL-HEADER-CALLER").finding("header", "assistant main", header=name, values=values, value=value)


def from_outside(code: int = 0, *, answered: bool = False) -> Example:
    """A call to the queue from an address that is not allowed, which has to end with 403."""
    example = Example("gladly", "GL-ALLOWLIST-UNLISTED", transport="tls", ai="stand-in")
    if answered:
        example.state("confirmed", 200, "OK", phone="stranger")
    return example.finding("final_response", "stranger.1", code=code)


def in_the_clear() -> Example:
    """A number whose destination lacks transport=tls: its caller is to get the fallback."""
    return Example("gladly", "GL-PLAINTEXT", transport="tls", line="plaintext").dials().after(0.1)


def taken_in_the_clear() -> Example:
    """The AI gets it all the same, and the fallback does not come."""
    example = in_the_clear().ai_gets(over="udp", tls=False).ai_answers(200, "OK").answered()
    return example.after(5).landed("reception")


GLADLY = [
    Expected("gladly.unguarded", from_outside(answered=True), "certain calls-unguarded"),
    Expected(
        "gladly.taken-in-the-clear",
        in_the_clear()
        .rings("reception")
        .answered()
        .landed("reception", "reception")
        .finding("route.not_answered", "the AI", answered=["main"], code=0),
        "certain taken-in-the-clear",
    ),
    Expected("gladly.taken-in-the-clear.landing", taken_in_the_clear(), "certain taken-in-the-clear"),
    Expected(
        "gladly.in-the-clear",
        refused(Example("gladly", "GL-INBOUND", transport="tls"), 403, "TLS required", over="udp", tls=False),
        "certain tls-not-appended",
    ),
    Expected("gladly.caller.missing", _header("X-Gladly-Caller-Id", [], CALLER), "certain caller-header-missing"),
    Expected(
        "gladly.caller.plus", _header("X-Gladly-Caller-Id", [CALLER[1:]], CALLER), "certain caller-header-without-plus"
    ),
    Expected(
        "gladly.caller.wrong", _header("X-Gladly-Caller-Id", ["+12015550199"], CALLER), "certain caller-header-wrong"
    ),
    Expected(
        "gladly.selector.missing", _header("X-Gladly-Routing-Selector", [], "billing"), "certain selector-missing"
    ),
    Expected(
        "gladly.selector.wrong", _header("X-Gladly-Routing-Selector", ["support"], "billing"), "certain selector-wrong"
    ),
    Expected("gladly.repeated", _header("X-Gladly-Caller-Id", [CALLER, CALLER], CALLER), "certain caller-header-wrong"),
]
