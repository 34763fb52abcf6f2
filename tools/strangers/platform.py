"""A platform of other people's programs, its deployment file, and the switch for its faults."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from harness.deployment import Deployment
from harness.deployment.file import load
from harness.world.addresses import Block, take_block
from harness.world.pki import Authority
from tools.interop.baresip import Baresip, account
from tools.interop.kamailio import Entry, Kamailio, agents_of, filled, from_template, ports
from tools.interop.processes import binary
from tools.interop.rtpengine import Rtpengine
from tools.strangers.fault import Fault
from tools.strangers.wire import Places, Wire, contexts

HERE = Path(__file__).parent
PASSWORD = "strangers-only"  # of accounts that live as long as this run, on loopback
PASSWORD_VARIABLE = "HARNESS_STRANGERS_PASSWORD"
AI_PORTS = (32681, 32682)
#: The last octets of who takes part.
_KAMAILIO, _RTPENGINE, _PLATFORM_SEEN, _AI_SEEN, _RELAY_SEEN, _AI, _CALLERS, _AGENTS, _OTHER = (
    10,
    12,
    13,
    14,
    15,
    20,
    30,
    31,
    40,
)
_MARK_OF_NOBODY = 203


class Strangers(ExitStack):
    """Kamailio with rtpengine, a baresip that is nobody's, and the wire to the AI, between ``with``
    and its end.
    """

    def __init__(self, name: str, directory: Path) -> None:
        super().__init__()
        self.name, self.directory = name, directory
        self.file = directory / f"{name}.toml"
        self._control = directory / "ctl"
        self._generation = 0

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def show(self, fault: Fault | None) -> None:
        """From now on this fault is there, or none."""
        self._wire.becomes(fault.wire if fault else ())
        switch = fault.switch if fault else ""
        self._generation += 1  # a call that a fault left up counts for nobody after it
        for name, value in (("now", switch or "none"), ("generation", f"g{self._generation}")):
            command = ["htable.sets", "fault", name, value]
            subprocess.run(
                [binary("kamcmd"), "-s", f"unix:{self._control}", *command],
                check=True,
                capture_output=True,
            )

    def late_s(self) -> float:
        """For how long our own wire held up at worst what goes over it, since this was last asked."""
        return self._wire.late_s()

    def _start(self) -> None:
        os.environ[PASSWORD_VARIABLE] = PASSWORD
        self.directory.mkdir(parents=True)
        block = take_block()
        self.callback(block.release)
        authority = Authority(self.directory / "certificates")
        host = block[_KAMAILIO]
        port, tls_port = ports(host)
        relay = self.enter_context(
            Rtpengine(self.directory / "rtpengine", block[_RTPENGINE], block[_RELAY_SEEN])
        )
        places = Places(
            host,
            block[_PLATFORM_SEEN],
            block[_AI],
            block[_AI_SEEN],
            (port, tls_port),
            AI_PORTS,
            block[_RTPENGINE],
            block[_RELAY_SEEN],
            relay.ports,
        )
        own = authority.issue("kamailio", ["acme.kamailio.example", host])
        seen = authority.issue("wire", [places.platform_seen, places.ai_seen, host, places.ai])
        server, client = contexts(str(seen.certificate), str(seen.key))
        deployment = self._deployment(block, places, authority)
        other = self._other_device(block, authority)
        ring_ms = int(deployment.timings_by("quick").ring_timeout_s * 1000)
        self.enter_context(
            Kamailio(
                self.directory / "kamailio",
                host,
                port,
                tls_port,
                [deployment],
                stranger=block[11],
                trusted=[places.ai_seen],
                certificate=own,
                ca_file=authority.ca_file,
                rtpengine=relay.control,
                template=HERE / "kamailio.cfg",
                more={
                    "HOURS": filled(_hours(deployment)),
                    "CONTROL": str(self._control),
                    "OTHER_DID": deployment.assistants["sales"].address,
                    "OTHER_AGENT": deployment.phones["support"].aor_user,
                    "OTHER_DEVICE": f"{other.host}:{other.port}",
                    "CALLERS": block[_CALLERS],
                    "AGENTS": block[_AGENTS],
                    "LONG_MS": str(ring_ms + 2000),
                    "SHORT_MS": str(ring_ms - 1500),
                },
            )
        )
        self._wire = self.enter_context(Wire(places, server, client))

    def _other_device(self, block: Block, authority: Authority) -> Baresip:
        directory = self.directory / "baresip"
        directory.mkdir()
        shown = authority.issue("baresip", [block[_OTHER]])
        joined = directory / "certificate-and-key.pem"
        joined.write_text(shown.certificate.read_text() + shown.key.read_text())
        made = Baresip(
            directory,
            block[_OTHER],
            account("other", "{host}"),
            mark=_MARK_OF_NOBODY,
            certificate=joined,
            ca_file=authority.ca_file,
        )
        return self.enter_context(made)

    def _deployment(self, block: Block, places: Places, authority: Authority) -> Deployment:
        ai = authority.issue("ai", [places.ai, places.ai_seen])
        now = datetime.now(UTC)
        values = {
            "NAME": self.name,
            "TODAY": f"{now:%Y-%m-%d}",
            "TOMORROW": f"{now + timedelta(days=1):%Y-%m-%d}",
            "CA": str(authority.ca_file),
            "KAMAILIO": places.platform,
            "PORT": str(places.platform_ports[0]),
            "TLS_PORT": str(places.platform_ports[1]),
            "PLATFORM_SEEN": places.platform_seen,
            "AI_SEEN": places.ai_seen,
            "AI": places.ai,
            "CALLERS": block[_CALLERS],
            "AGENTS": block[_AGENTS],
            "CERTIFICATE": str(ai.certificate),
            "KEY": str(ai.key),
        }
        self.file.write_text(from_template(HERE / "deployment.toml", values))
        return load(self.file)


def _hours(deployment: Deployment) -> Iterator[Entry]:
    """The tables of numbers with hours, and of agents who are shown national numbers."""
    for line, _, did in deployment.all_dids():
        if (closed := deployment.lines[line].closed) is not None:
            table = "shut" if deployment.is_open(line) else "closed"
            yield table, did, agents_of(deployment, closed)
    for group in deployment.groups.values():
        for agent in group.present if group.number_format == "national" else ():
            yield "national", deployment.phones[agent].aor_user, "yes"
