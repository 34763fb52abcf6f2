"""A running world, written down as if it were somebody's real set-up: what the harness would be told of that, and no more."""

from __future__ import annotations

import re
from typing import Any, Literal

import tomli_w

from harness.deployment import Deployment, Timings, to_plain

_HEADING = """\
# {title}
# Written for a world that runs on this machine; it is true for as long as that does. Secrets stand in the environment.

"""
_TITLES = {
    "live": "As if live: the AI is Synthflow's own, and tells of a call by its record alone.",
    "stand-in": "As if before the AI is bought: a phone of the harness takes its place on the trunk's address.",
}
#: Checks that a record cannot answer, in rows that something else proves.
UNSEEN = {"*": ["route.transport", "codec"], "TD-TRANSFER-WARM": ["audio.silent"]}
#: Rows whose very subject a record cannot show.
LEFT_OUT = {
    "HOLD": "which sounds the AI gets, its record does not tell",
    "DTMF-RFC4733": "the record does not list digits",
    "DTMF-INFO": "the record does not list digits",
    "EARLYMEDIA": "before the answer the AI cannot be told from an announcement",
    "ANONYMOUS": "Privacy and P-Asserted-Identity of the INVITE are not in the record",
    "TD-REGISTER-OK": "the interface does not tell of registrations",
    "TD-REGISTER-BADPASS": "the interface does not tell of registrations",
    "TD-REGISTER-NOTALLOWED": "the interface does not tell of registrations",
}


def live_file(
    world: Deployment, kind: Literal["live", "stand-in"], timings: Timings, rows: set[str]
) -> tuple[str, str, dict[str, str]]:
    """Name, TOML text and the secrets (environment variable → value) of one tenant of a world, as a deployment of ``kind``.

    ``timings`` are those the world runs with, ``rows`` the rows its integration has.
    """
    plain = to_plain(world)
    plain["kind"] = kind
    plain["name"] = re.sub(r"^simulated", kind, world.name)
    plain["timings"] = {name: timings.model_dump() for name in ("quick", "documented")}
    wanted = "synthflow" if kind == "live" else "stand-in"
    order = [trunk["name"] for trunk in plain["trunks"]]
    kept = [trunk for trunk in plain["trunks"] if trunk["ai"] == wanted]
    _keep_numbers(plain, order, [trunk["name"] for trunk in kept])
    plain["trunks"] = kept
    if kind == "live":
        plain["stand_in"] = {}
        for assistant in plain["assistants"].values():
            assistant.pop("voice", None)
        plain["synthflow"] |= {
            "witness": ["record"],
            "transcript": "after",
            "transcript_within_s": 10.0,
            "poll_s": 0.2,
            "prepare": True,
        }
        plain["expect"] |= {
            "strength": "confirmed",
            "unseen": {row: checks for row, checks in UNSEEN.items() if row == "*" or row in rows},
        }
        plain["leave_out"] = {row: why for row, why in LEFT_OUT.items() if row in rows}
    else:
        del plain["synthflow"]
    secrets = _without_secrets(plain)
    return plain["name"], _HEADING.format(title=_TITLES[kind]) + tomli_w.dumps(_without_empty(plain)), secrets


def _keep_numbers(plain: dict[str, Any], order: list[str], kept: list[str]) -> None:
    """A line's numbers follow its first one in the order of the trunks: the block begins with the first trunk kept."""
    offset = order.index(kept[0])
    assert order[offset : offset + len(kept)] == kept, "the trunks of one AI stand together"
    for line in plain["lines"].values():
        if line.get("trunk") is None and len(order) > 1:
            line["did"] = f"+{int(line['did'][1:]) + offset}"


def _without_secrets(plain: dict[str, Any]) -> dict[str, str]:
    """Put the name of an environment variable in the place of each secret; what each holds."""
    secrets: dict[str, str] = {}

    def move(table: dict[str, Any], key: str, *words: str) -> None:
        if (value := table.pop(key, None)) is not None:
            variable = re.sub(r"\W+", "_", "_".join((plain["name"], *words))).upper()
            table[f"{key}_env"] = variable
            secrets[variable] = value

    for trunk in plain["trunks"]:
        move(trunk, "password", "trunk", trunk["name"], "password")
    for name, phone in plain["phones"].items():
        move(phone, "password", "phone", name, "password")
    if "synthflow" in plain:
        move(plain["synthflow"], "api_token", "api", "token")
    return secrets


def _without_empty(plain: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if value not in ({}, None)}


def exports(secrets: dict[str, str]) -> str:
    """Lines for a shell, or an ``.env`` file."""
    return "\n".join(f"export {variable}='{value}'" for variable, value in secrets.items())
