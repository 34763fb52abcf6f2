"""Other people's programs in every place but the harness's own, and nothing to see the AI by but
records and RTCP.

Kamailio is the platform, with rtpengine where it relays. baresip is an AI that says the same again
and again, sends RTCP and hands over when it gets a digit; SIPp is several that are deaf and send
none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.audio import g711
from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.integrations import load
from harness.world.addresses import Block
from harness.world.media import sound
from harness.world.pki import Authority
from tests.interop.baresip_ai import BaresipAi
from tests.interop.calls_api import CallsApi
from tests.interop.platform import PASSWORD, TOKEN
from tests.interop.sipp import repeated
from tests.interop.sipp_ai import SippAi
from tools.interop.kamailio import Kamailio, from_template, ports
from tools.interop.rtpengine import Rtpengine

_TEMPLATE = Path(__file__).with_name("deployments") / "others.toml"
_AREA = "312"  #: of the deployment's numbers
SPOILT = {
    "relayed": "relayed",
    "blocked-to-caller": "wrong-port",
    "blocked-to-ai": "wrong-port-back",
    "anonymous": "anonymous",
    "refer-swallowed": "refer-swallowed",
}
# The last octets of who takes part: not those of the suite's other platform.
_KAMAILIO, _STRANGER, _RTPENGINE, _TONE, _DEAF, _CALLERS, _AGENTS = 14, 15, 16, 23, 24, 34, 35
_SOUND_S = 120


def _machine() -> bytes:
    """An answering machine: its greeting, a tone, and silence."""
    said = g711.encode_ulaw(prompt_samples("voicemail-greeting-en")) + b"".join(sound.beep("PCMU"))
    return said + b"\xff" * (_SOUND_S * SAMPLE_RATE - len(said))


#: What the deaf ones play, by trunk; ``echo`` sends back what it gets.
DEAF: Mapping[str, bytes | None] = {
    "deaf-tone": repeated(sound.tone("PCMU"), _SOUND_S),
    "music": repeated(sound.music("PCMU"), _SOUND_S),
    "speech": repeated(sound.prompt("how-can-i-help-en", "PCMU"), _SOUND_S),
    "machine": _machine(),
    "silence": b"\xff" * (_SOUND_S * SAMPLE_RATE),
    "echo": None,
}


@dataclass(frozen=True)
class Others:
    """All of them, running, and their deployment file."""

    file: Path


def _written(
    directory: Path, block: Block, kamailio: str, api_base: str, hosts: Mapping[str, str]
) -> Path:
    """The deployment file."""
    values = {
        "AREA": _AREA,
        "KAMAILIO": kamailio.partition(":")[0],
        "PORT": kamailio.partition(":")[2],
        "API": api_base,
        "CALLERS": block[_CALLERS],
        "AGENTS": block[_AGENTS],
        "TRUNKS": "\n".join(_trunk(name, at, kamailio) for name, at in hosts.items()),
        "DEAF": ", ".join(
            f'{name} = "+1{_AREA}55501{number}"' for number, name in enumerate(DEAF, 10)
        ),
    }
    file = directory / "others.toml"
    file.write_text(from_template(_TEMPLATE, values))
    return file


@contextmanager
def running(directory: Path, block: Block, authority: Authority) -> Iterator[Others]:
    """Start everybody, and end them."""
    os.environ["HARNESS_INTEROP_PASSWORD"], os.environ["HARNESS_INTEROP_TOKEN"] = PASSWORD, TOKEN
    directory.mkdir()
    host = block[_KAMAILIO]
    port, tls_port = ports(host)
    with ExitStack() as stack:
        relay = stack.enter_context(Rtpengine(directory / "rtpengine", block[_RTPENGINE]))
        listener = stack.enter_context(
            BaresipAi(
                directory / "baresip",
                block[_TONE],
                [f"+1{_AREA}55501{last}" for last in (60, 62)],
                mark=0,
                certificate=authority.issue("baresip-others", [block[_TONE]]),
                ca_file=authority.ca_file,
                escalate=f"sip:+1{{area}}5550151@{host}:{port}",
                token=TOKEN,
                voice=_speech(),
                witness=False,
            )
        )
        deaf: dict[str, SippAi] = {
            trunk: stack.enter_context(
                SippAi(directory / f"sipp-{trunk}", block[_DEAF + number], voice)
            )
            for number, (trunk, voice) in enumerate(DEAF.items())
        }
        tell = [listener.records, *(ai.records for ai in deaf.values())]
        api = CallsApi(host, TOKEN, lambda: [call for records in tell for call in records()])
        stack.callback(api.end)
        hosts = {"tone": listener.host, **{trunk: ai.host for trunk, ai in deaf.items()}}
        file = _written(directory, block, f"{host}:{port}", api.base, hosts)
        deployment = load(file)
        stack.enter_context(
            Kamailio(
                directory / "kamailio",
                host,
                port,
                tls_port,
                [deployment],
                stranger=block[_STRANGER],
                trusted=list(hosts.values()),
                certificate=authority.issue("kamailio-others", ["acme.kamailio.example", host]),
                ca_file=authority.ca_file,
                spoilt=SPOILT,
                rtpengine=relay.control,
            )
        )
        yield Others(file)


def _speech() -> NDArray[np.int16]:
    said = np.concatenate([prompt_samples("how-can-i-help-en"), np.zeros(SAMPLE_RATE, np.int16)])
    return np.resize(said, _SOUND_S * SAMPLE_RATE)


def _trunk(name: str, host: str, termination: str) -> str:
    return (
        f'[[trunks]]\nname = "{name}"\ntransport = "udp"\nport = 32681\nhost = "{host}"\n'
        f'termination = "{termination}"\nmax_concurrent_calls = 1\n'
    )
