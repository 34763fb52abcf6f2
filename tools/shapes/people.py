"""The people of a drawn customer: their phones and telephones, and the groups they are in."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZäöüßéñçøł0123456789"
_SIGNS = " -_.'&()/+#\""
PUBLIC, DESK = "public side", "desk"
_RINGS = ("all", "batches", "one-by-one")


def names(least: int, most: int) -> st.SearchStrategy[list[str]]:
    """Names of a customer's own choosing: spaces, umlauts, quotes; no two alike."""
    first = st.sampled_from(_LETTERS)
    name = st.builds(str.__add__, first, st.text(_LETTERS + _SIGNS, max_size=14)).map(str.strip)
    return st.lists(name, min_size=least, max_size=most, unique_by=str.casefold)


def phones(draw: st.DrawFn, numbers: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Phones that call, and those of agents: SIP accounts, or telephone numbers at a carrier; the
    agents' names.
    """
    callers = [f"{name} (test)" for name in draw(names(1, 6))]
    made: dict[str, Any] = {name: {"account": PUBLIC, "number": numbers.pop()} for name in callers}
    agents = draw(names(0, 9))
    for index, name in enumerate(agents):
        if draw(st.integers(0, 3)):
            made[name] = {"account": DESK, "user": f"agent-{index}"}
            continue
        made[name] = {"account": PUBLIC, "number": numbers.pop()}
        made[name]["shows"] = draw(st.sampled_from(["original", "platform", "any"]))
        if draw(st.booleans()):
            made[name]["accept"] = draw(st.sampled_from("0123456789*#"))
    return made, agents


def groups(
    draw: st.DrawFn,
    numbers: list[str],
    phones: dict[str, Any],
    agents: list[str],
    topics: list[str],
) -> dict[str, Any]:
    """Groups of nobody, of others, of one and of several, of whom some are away."""
    telephones = {name: phones[name]["number"] for name in agents if "number" in phones[name]}
    made: dict[str, Any] = {}
    waiting = list(topics)
    for name in draw(names(1, 6)):
        members = draw(st.lists(st.sampled_from(agents), unique=True, max_size=5)) if agents else []
        away = members[:1] if len(members) > 1 and draw(st.integers(0, 3)) == 0 else []
        group: dict[str, Any] = {
            "did": numbers.pop(),
            "agents": members,
            "away": away,
            **_manner(draw),
        }
        if not members:
            group["empty"] = draw(st.booleans())
            group["voicemail"] = draw(st.booleans())
        if bool(waiting) and draw(st.booleans()):
            group["topic"] = waiting.pop()
        made[name] = group
        if len(members) == 1 and draw(st.integers(0, 3)):
            group["did"] = telephones.pop(
                members[0], group["did"]
            )  # a transfer to the telephone itself
    return made


def _manner(draw: st.DrawFn) -> dict[str, Any]:
    """How a group rings, and what happens when nobody answers."""
    manner: dict[str, Any] = {
        "rings": draw(st.sampled_from(_RINGS)),
        "pause_s": draw(st.sampled_from([0.2, 1.0])),
    }
    if manner["rings"] == "batches":
        manner["batch"] = draw(st.integers(1, 3))
    if draw(st.integers(0, 3)) == 0:
        manner["queue_s"] = 5.0
    if draw(st.integers(0, 3)) == 0:
        manner["voicemail"] = True
    return manner
