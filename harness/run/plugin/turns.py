"""Who uses the phones of a real deployment, or stands in for its AI, does so alone on this machine: a second run waits."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Iterator, Sequence

from harness.deployment import Deployment
from harness.deployment.limits import address, forget_unused_addresses
from harness.run.plugin.needs import phone_key


@contextlib.contextmanager
def in_turn(deployments: Sequence[Deployment]) -> Iterator[None]:
    """Wait until no other of the user's runs, loads or calls has a phone of these, or a stand-in's address; hold them meanwhile.

    The platform would call both registrations of one phone, calls from one number could not be told apart, and a deployment's
    limits would not hold over both runs. Raises :class:`ResourceError`.
    """
    places = sorted(_places(deployments).items())
    if places:
        forget_unused_addresses()
    with contextlib.ExitStack() as stack:
        for place, words in places:  # in one order, or two runs could wait for each other

            def waiting(words: str = words) -> None:
                print(f"waiting for another run, {words}", file=sys.stderr, flush=True)

            stack.enter_context(address(place, waiting))
        yield


def _places(deployments: Sequence[Deployment]) -> dict[str, str]:
    """Each place, and what another run has there."""
    places: dict[str, str] = {}
    for deployment in deployments:
        if deployment.kind == "simulated":
            continue
        for name in deployment.phones:
            # it names a file, and may hold a number
            hidden = hashlib.sha256(phone_key(deployment, name).encode()).hexdigest()
            places[f"phone {hidden[:32]}"] = f"which has the phone {name} of {deployment.name}"
        for trunk in deployment.trunks:
            if trunk.ai == "stand-in" and deployment.stand_in.bind is not None:
                place = f"{deployment.stand_in.bind}:{trunk.port}/{trunk.transport}"
                places[place] = f"whose stand-in is at {place}"
    return places
