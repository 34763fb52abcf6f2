"""Every key of the files that users write, by walking over their models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import chain
from typing import Any, get_args

from pydantic import BaseModel

from harness.deployment import Deployment
from harness.report.nightly.problems import BoundFile as Bounds
from harness.report.signoff.rows import WaiverFile as Waivers
from harness.run.fleet.plan import Fleet
from harness.world.settings import Settings

Place = tuple[str | int, ...]
Model = type[BaseModel]

BASE: dict[str, Any] = {
    "name": "lab",
    "integration": "generic",
    "kind": "simulated",
    "zone": "Europe/Berlin",
    "platform": {"domain": "acme.example", "report": {"url": "https://acme.example/calls"}},
    "axes": {},
    "timings": {"quick": {}},
    "trunks": [{"name": "main", "transport": "udp", "port": 32681}],
    "lines": {"sales": {"did": "+12065550100", "choices": {"1": {"assistant": "front"}}}},
    "holidays": {"germany": {"dates": "2026-12-25 closed"}},
    "groups": {"desk": {"did": "+12065550101", "agents": ["maria"]}},
    "assistants": {
        "front": {
            "did": "+12065550102",
            "handovers": {"x": {"transfer": "cold", "transfer_to": "desk", "digit": "1"}},
        }
    },
    "synthflow": {},
    "stand_in": {
        "bad_certificates": {
            kind: {"certificate": "a.pem", "private_key": "b.pem"}
            for kind in ("expired", "self-signed", "wrong-name")
        }
    },
    "escalation": {"digit": "9"},
    "campaign": {},
    "accounts": {"carrier": {"domain": "acme.example"}},
    "phones": {
        "caller": {"account": "carrier", "number": "+12065550103"},
        "maria": {"account": "carrier", "user": "maria"},
    },
    "numbers": {},
    "expect": {},
    "responsiveness": {},
    "leave_out": {},
    "limits": {},
    "safety": {},
    "simulated": {},
}
#: The other files of TOML, and the table that the world reads.
FILES: dict[Model, dict[str, Any]] = {
    Deployment: BASE,
    Settings: {
        "rtcp": {},
        "api": {},
        "assistants": {"*": {}},
        "groups": {"*": {"external": {}}},
        "lines": {"*": {}},
    },
    Fleet: {
        "results": "/shared",
        "sites": [{"name": "ams"}],
        "verify": [{"file": "acme.toml"}],
        "trunks": [{"name": "x", "concurrent_calls": 1, "calls_per_second": 1.0}],
    },
    Bounds: {"bound": [{"kpi": "answer_s", "max": 3.0}]},
    Waivers: {
        "waiver": [{"row": "HOLD", "who": "Ada", "why": "later", "until": date(2026, 12, 25)}]
    },
}
#: Not in a file, or read by another part.
ELSEWHERE = {"password", "api_token"}


def tables(model: Model, plain: dict[str, Any], place: Place = ()) -> Iterator[tuple[Place, Model]]:
    """Every table of the base with its model."""
    yield place, model
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = next(
            (
                t
                for t in _leaves(field.annotation)
                if isinstance(t, type) and issubclass(t, BaseModel)
            ),
            None,
        )
        if inner is None or key not in plain:
            continue
        below = plain[key]
        if isinstance(below, list):
            yield from tables(inner, below[0], (*place, key, 0))
        elif str(field.annotation).startswith("dict"):
            for entry in list(below)[:1]:
                yield from tables(inner, below[entry], (*place, key, entry))
        else:
            yield from tables(inner, below, (*place, key))


def _leaves(annotation: Any) -> Iterator[Any]:
    arguments = get_args(annotation)
    yield from chain.from_iterable(map(_leaves, arguments)) if arguments else (annotation,)


@cache
def keys() -> list[tuple[Model, Place]]:
    return [
        (file, (*place, field.alias or name))
        for file, base in FILES.items()
        for place, model in tables(file, base)
        for name, field in model.model_fields.items()
        if name not in ELSEWHERE
    ]
