"""A running world, written down as if it were somebody's real set-up: what the harness would be told of that, and no more."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Container
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


def live_file(
    world: Deployment, kind: Literal["live", "stand-in"], timings: Timings
) -> tuple[str, str, dict[str, str]]:
    """Name, TOML text and the secrets (environment variable → value) of one tenant of a world, as a deployment of ``kind``.

    ``timings`` are those the world runs with.
    """
    plain = to_plain(world)
    plain["kind"] = kind
    plain["name"] = "-".join(part for part in (kind, world.name.removeprefix("simulated").strip("-")) if part)
    plain["timings"] = {name: getattr(timings, name) for name in Timings.model_fields}
    wanted = "synthflow" if kind == "live" else "stand-in"
    plain["trunks"] = [trunk for trunk in plain["trunks"] if trunk["ai"] == wanted]
    kept = {trunk["name"] for trunk in plain["trunks"]}
    for name in list(plain["lines"]):
        line = plain["lines"][name]
        line["dids"] = {trunk: did for trunk, did in line.get("dids", {}).items() if trunk in kept}
        if not line["dids"] and (line.get("did") is None or line.get("trunk") not in {None, *kept}):
            del plain["lines"][name]
    plain["assistants"] = {name: _without_empty(assistant) for name, assistant in plain["assistants"].items()}
    if kind == "live":
        plain["stand_in"] = {}
        for assistant in plain["assistants"].values():
            assistant.pop("voice", None)
        if "synthflow" in plain:  # otherwise there is no access to it
            plain["synthflow"] |= {
                "witness": ["record"],
                "transcript": "after",
                "transcript_within_s": 10.0,
                "poll_s": 0.2,
                "prepare": True,
            }
        plain["expect"]["strength"] = "confirmed"
    else:
        plain.pop("synthflow", None)
    secrets = _without_secrets(plain)
    return plain["name"], _HEADING.format(title=_TITLES[kind]) + tomli_w.dumps(_without_empty(plain)), secrets


def _without_secrets(plain: dict[str, Any]) -> dict[str, str]:
    """Put the name of an environment variable in the place of each secret; what each holds."""
    secrets: dict[str, str] = {}

    def move(table: dict[str, Any], key: str, *words: str) -> None:
        if (value := table.pop(key, None)) is not None:
            variable = _variable("_".join((plain["name"], *words)), secrets)
            table[f"{key}_env"] = variable
            secrets[variable] = value

    for trunk in plain["trunks"]:
        move(trunk, "password", "trunk", trunk["name"], "password")
    for name, phone in plain["phones"].items():
        move(phone, "password", "phone", name, "password")
    if "synthflow" in plain:
        move(plain["synthflow"], "api_token", "api", "token")
    return secrets


def _variable(words: str, taken: Container[str]) -> str:
    """A name that a shell takes (POSIX: letters, digits and underscores of ASCII), and that nothing else has."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", words).upper()
    plain = f"_{plain}" if plain[0].isdigit() else plain
    numbered = (f"{plain}_{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([plain], numbered) if name not in taken)


def _without_empty(plain: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if value not in ({}, None)}


def exports(secrets: dict[str, str]) -> str:
    """Lines for a shell, or an ``.env`` file."""
    return "\n".join(f"export {variable}={shlex.quote(value)}" for variable, value in secrets.items())
