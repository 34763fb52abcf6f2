"""The platform of this suite: a Kamailio, the deployment files that describe it, and the addresses
of all who take part.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.deployment import Deployment
from harness.integrations import load
from harness.world.addresses import Block
from harness.world.pki import Authority, Certificate
from tests.interop.sipp_queue import SippQueue
from tools.interop.kamailio import Kamailio, from_template

_TEMPLATES = Path(__file__).with_name("deployments")
PASSWORD, TOKEN = (
    "interop-only",
    "interop-token",
)  # of accounts that live as long as this run, on loopback
#: Of each deployment's numbers.
AREAS = {
    "stand-in": "312",
    "synthflow": "773",
    "gladly": "206",
    "clinic": "415",
    "shop": "212",
    "probed": "503",
}

# The last octets of who takes part.
KAMAILIO, STRANGER, RTPENGINE, QUEUE = 10, 11, 12, 13
AI = {"stand-in": 20, "synthflow": 21, "gladly": 22, "clinic": 23, "shop": 24, "probed": 25}
CALLERS, AGENTS = 30, 31
BARESIP, SIPP, PHONES, TORTURER = 40, 60, 100, 220


@dataclass(frozen=True)
class Platform:
    """A running Kamailio, with a deployment file for each who may have the AI's place."""

    kamailio: Kamailio
    queue: SippQueue
    block: Block
    authority: Authority
    files: Mapping[str, Path]
    deployments: Mapping[str, Deployment]


def _written(
    directory: Path,
    block: Block,
    authority: Authority,
    ai: Certificate,
    ports: tuple[int, int],
    api_base: str,
) -> dict[str, Path]:
    """A deployment file for each kind of AI."""
    host, (port, tls_port) = block[KAMAILIO], ports
    files = {}
    for who in AI:
        bad = authority.bad_certificates(f"ai-{who}", [block[AI[who]]])
        files[who] = directory / f"kamailio-{who}.toml"
        values = {
            "AI": who,
            "AREA": AREAS[who],
            "CA": str(authority.ca_file),
            "KAMAILIO": host,
            "PORT": str(port),
            "TLS_PORT": str(tls_port),
            "AI_HOST": block[AI[who]],
            "STRANGER": block[STRANGER],
            "CALLERS": block[CALLERS],
            "AGENTS": block[AGENTS],
            "CERTIFICATE": str(ai.certificate),
            "KEY": str(ai.key),
            "BAD_CERTIFICATES": "\n".join(
                f'[stand_in.bad_certificates.{kind}]\ncertificate = "{made.certificate}"\nprivate_key = "{made.key}"\n'
                for kind, made in bad.items()
            ),
            "CALLS": "1" if who == "synthflow" else "20",  # baresip takes one call at a time
            "SYNTHFLOW": ""
            if who != "synthflow"
            else f'[synthflow]\napi_base = "{api_base}"\napi_token_env = "HARNESS_INTEROP_TOKEN"\n'
            'witness = ["record", "marks", "messages", "dtmf"]\n',
        }
        template = "kamailio.toml" if who in ("stand-in", "synthflow") else f"kamailio-{who}.toml"
        files[who].write_text(from_template(_TEMPLATES / template, values))
    return files


@contextmanager
def running(
    directory: Path,
    block: Block,
    authority: Authority,
    *,
    ai: Certificate,
    ports: tuple[int, int],
    api_base: str,
    rtpengine: str,
    spoilt: Mapping[str, str],
) -> Iterator[Platform]:
    """``api_base`` is the API of the AI that is no stand-in, ``spoilt`` says by line what is done
    to media.
    """
    os.environ["HARNESS_INTEROP_PASSWORD"] = PASSWORD
    os.environ["HARNESS_INTEROP_TOKEN"] = TOKEN
    host = block[KAMAILIO]
    port, tls_port = ports
    own = authority.issue("kamailio", ["acme.kamailio.example", host])
    files = _written(directory, block, authority, ai, ports, api_base)
    deployments = {who: load(path) for who, path in files.items()}
    with (
        SippQueue(directory / "sipp-queue", block[QUEUE]) as queue,
        Kamailio(
            directory / "kamailio",
            host,
            port,
            tls_port,
            list(deployments.values()),
            stranger=block[STRANGER],
            # The stand-in has to show its password.
            trusted=[block[number] for who, number in AI.items() if who != "stand-in"],
            certificate=own,
            ca_file=authority.ca_file,
            spoilt=spoilt,
            rtpengine=rtpengine,
            queue=f"sip:queue@{queue.host}:{queue.port}",
        ) as kamailio,
    ):
        yield Platform(kamailio, queue, block, authority, files, deployments)
