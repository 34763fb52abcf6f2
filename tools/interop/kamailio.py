"""Kamailio as the platform of a deployment: its tables are filled from the same file the harness
verifies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from harness.deployment import Deployment, Trunk
from harness.world.pki import Certificate
from tools.interop.processes import Program, free_port

_ASKS_EVERY_S = 2  #: a trunk's far end by OPTIONS, where the deployment says so
_TEMPLATE = Path(__file__).with_name("kamailio.cfg")
_TLS = """\
[server:default]
method = TLSv1.2+
certificate = {certificate}
private_key = {key}
ca_list = {ca}
verify_certificate = no
require_certificate = no

[client:default]
method = TLSv1.2+
certificate = {certificate}
private_key = {key}
ca_list = {ca}
verify_certificate = yes
require_certificate = yes
"""


class Kamailio(Program):
    """A running Kamailio. ``port`` is for UDP and TCP, ``tls_port`` for TLS."""

    def __init__(
        self,
        directory: Path,
        host: str,
        port: int,
        tls_port: int,
        deployments: list[Deployment],
        *,
        stranger: str,
        trusted: list[str],
        certificate: Certificate,
        ca_file: Path,
        spoilt: Mapping[str, str] = MappingProxyType({}),
        rtpengine: str,
        queue: str | None = None,
        template: Path = _TEMPLATE,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """``trusted`` addresses need no digest; ``spoilt`` says by line what is done to its media.

        ``queue`` plays music to callers of groups with a queue, then ends with 480; ``more`` are
        values for a ``template``.
        """
        self.host, self.port, self.tls_port = host, port, tls_port
        directory.mkdir(parents=True)
        tls = directory / "tls.cfg"
        tls.write_text(
            _TLS.format(certificate=certificate.certificate, key=certificate.key, ca=ca_file)
        )
        values = {
            "PROBED": str(_dispatcher_list(directory, deployments)),
            "HOST": host,
            "PORT": str(port),
            "TLS_PORT": str(tls_port),
            "ASKS_EVERY_S": str(_ASKS_EVERY_S),
            "DOMAIN": deployments[0].platform.domain,
            "CARRIER": "carrier.example",
            "STRANGER": stranger,
            "TLS_CONFIG": str(tls),
            "RTPENGINE": rtpengine,
            "RING_MS": str(int(deployments[0].timings_by("quick").ring_timeout_s * 1000)),
            "TABLES": filled(_entries(deployments, trusted, spoilt, queue)),
            **more,
        }
        config = directory / "kamailio.cfg"
        config.write_text(from_template(template, values))
        super().__init__(
            "kamailio",
            ["-DD", "-E", "-m", "32", "-M", "8", "-f", str(config), "-Y", str(directory)],
            directory,
        )
        with self.starting():
            self.answers_options(host, port)


def from_template(template: Path, values: Mapping[str, str]) -> str:
    """The text behind the template's first paragraph, with values for each ``{NAME}``, or
    ``{{NAME}}``.
    """
    text = template.read_text().partition("\n\n")[2]
    return re.sub(r"\{\{?([A-Z_]+)\}\}?", lambda found: values[found[1]], text)


def ports(host: str) -> tuple[int, int]:
    """A port for UDP and TCP, and one for TLS."""
    plain = free_port(host)
    return plain, free_port(host, but=[plain])


def _dispatcher_list(directory: Path, deployments: list[Deployment]) -> Path:
    path = directory / "dispatcher.list"
    path.write_text("".join(f"{number} {uri} 0\n" for number, uri in _probed(deployments)))
    return path


def _probed(deployments: list[Deployment]) -> Iterator[tuple[int, str]]:
    """The far ends that are asked by OPTIONS, each with the number of its set."""
    for deployment in deployments:
        if every := deployment.stand_in.options_every_s:
            assert every == _ASKS_EVERY_S, "as dispatcher's ds_ping_interval"
            yield from (
                (number, _far_end(trunk)) for number, trunk in enumerate(deployment.trunks, start=1)
            )


def _far_end(trunk: Trunk, user: str = "", port: int | None = None) -> str:
    parameter = "" if trunk.transport == "udp" else f";transport={trunk.transport}"
    return f"sip:{user}{'@' * bool(user)}{trunk.host}:{port or trunk.port}{parameter}"


Entry = tuple[str, str, str]  #: table, key, value


def _entries(
    deployments: list[Deployment],
    trusted: list[str],
    spoilt: Mapping[str, str],
    queue: str | None,
) -> Iterator[Entry]:
    for deployment in deployments:
        for line, trunk_name, did in deployment.all_dids():
            entry, trunk = deployment.lines[line], deployment.trunk(trunk_name)
            if line in spoilt:
                yield "spoilt", did, spoilt[line]
            people = entry.group or entry.fallback
            if queue and people and deployment.groups[people].queue_s:
                yield "queues", did, queue
            if entry.group:  # people only
                yield "groups", did, agents_of(deployment, entry.group)
                continue
            address = deployment.assistants[str(entry.assistant)].address
            port = trunk.port if entry.reachable else 9
            yield "lines", did, _far_end(trunk, address, port)
            if deployment.stand_in.options_every_s:
                yield "probed", did, str(1 + list(deployment.trunks).index(trunk))
            if entry.plaintext:
                yield "plaintext", did, "yes"
            if deployment.integration == "gladly":
                yield "forwarded", did, entry.selector or ""
            most = trunk.max_concurrent_calls
            yield "capacity", did, f"{deployment.name}-{trunk.name}:{most}"
            if entry.fallback:
                yield "fallback", did, agents_of(deployment, entry.fallback)
        for name, group in deployment.groups.items():
            if queue and group.queue_s:
                yield "queues", str(group.did), queue
            yield "groups", str(group.did), agents_of(deployment, name)
            if deployment.integration == "gladly":
                yield "secure", str(group.did), "yes"
                for other_name, other in deployment.groups.items():
                    for topic in other.topic:
                        yield "topics", f"{group.did}:{topic}", agents_of(deployment, other_name)
        for phone in deployment.phones.values():
            if phone.password is not None:
                user = phone.username or phone.aor_user
                yield "passwords", user, phone.password.get_secret_value()
        for trunk in deployment.trunks:
            if trunk.username and trunk.password is not None:
                yield "passwords", trunk.username, trunk.password.get_secret_value()
    yield from (("trusted", address, "yes") for address in trusted)


def agents_of(deployment: Deployment, group: str) -> str:
    """Who rings, at once or one after the other; three at most."""
    present = deployment.groups[group].present
    return "|".join(deployment.phones[agent].aor_user for agent in present) or "nobody"


def filled(entries: Iterable[Entry]) -> str:
    """What fills Kamailio's tables with these entries."""
    return "\n".join(f'    $sht({table}=>{key}) = "{value}";' for table, key, value in entries)
