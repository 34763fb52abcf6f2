"""The people of a drawn customer: their phones and telephones, and the groups they are in."""

from __future__ import annotations

import random
from typing import Any

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZäöüßéñçøł0123456789"
_SIGNS = " -_.'&()/+#\""
PUBLIC, DESK = "public side", "desk"
_RINGS = ("all", "batches", "one-by-one")


class Dice(random.Random):
    """What is drawn by one seed."""

    def one_in(self, count: int) -> bool:
        """True once in so many times."""
        return self.randrange(count) == 0


def names(dice: Dice, least: int, most: int) -> list[str]:
    """Names of a customer's own choosing: spaces, umlauts, quotes; no two alike."""
    count = dice.randint(least, most)
    found: dict[str, str] = {}
    while len(found) < count:
        rest = dice.choices(_LETTERS + _SIGNS, k=dice.randrange(15))
        name = (dice.choice(_LETTERS) + "".join(rest)).strip()
        found.setdefault(name.casefold(), name)
    return list(found.values())


def phones(dice: Dice, numbers: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Phones that call, and those of agents: SIP accounts, or telephone numbers at a carrier; the
    agents' names.
    """
    callers = [f"{name} (test)" for name in names(dice, 1, 6)]
    made: dict[str, Any] = {name: {"account": PUBLIC, "number": numbers.pop()} for name in callers}
    agents = names(dice, 0, 9)
    for index, name in enumerate(agents):
        if not dice.one_in(4):
            made[name] = {"account": DESK, "user": f"agent-{index}"}
            continue
        made[name] = {"account": PUBLIC, "number": numbers.pop()}
        made[name]["shows"] = dice.choice(["original", "platform", "any"])
        if dice.one_in(2):
            made[name]["accept"] = dice.choice("0123456789*#")
    return made, agents


def groups(
    dice: Dice,
    numbers: list[str],
    phones: dict[str, Any],
    agents: list[str],
    topics: list[str],
) -> dict[str, Any]:
    """Groups of nobody, of others, of one and of several, of whom some are away."""
    telephones = {name: phones[name]["number"] for name in agents if "number" in phones[name]}
    made: dict[str, Any] = {}
    waiting = list(topics)
    for name in names(dice, 1, 6):
        members = dice.sample(agents, dice.randint(0, min(5, len(agents))))
        away = members[:1] if len(members) > 1 and dice.one_in(4) else []
        group: dict[str, Any] = {
            "did": numbers.pop(),
            "agents": members,
            "away": away,
            **_manner(dice),
        }
        if not members:
            group["empty"] = dice.one_in(2)
            group["voicemail"] = dice.one_in(2)
        if waiting and dice.one_in(2):
            group["topic"] = waiting.pop()
        made[name] = group
        if len(members) == 1 and not dice.one_in(4):
            group["did"] = telephones.pop(
                members[0], group["did"]
            )  # a transfer to the telephone itself
    return made


def _manner(dice: Dice) -> dict[str, Any]:
    """How a group rings, and what happens when nobody answers."""
    manner: dict[str, Any] = {
        "rings": dice.choice(_RINGS),
        "pause_s": dice.choice([0.2, 1.0]),
    }
    if manner["rings"] == "batches":
        manner["batch"] = dice.randint(1, 3)
    if dice.one_in(4):
        manner["queue_s"] = 5.0
    if dice.one_in(4):
        manner["voicemail"] = True
    return manner
