"""Kamailio as the platform of a deployment: its tables are filled from the same file the harness
verifies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from harness.deployment import Deployment, Group, Trunk
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
        spoilt: dict[str, str],
        rtpengine: str,
        queue: str | None = None,
        template: Path = _TEMPLATE,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """``trusted`` addresses need no digest; ``spoilt`` names what is done to the media of a
        line's number.

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
            "TABLES": "\n".join(
                f"    {line}" for line in _tables(deployments, trusted, spoilt, queue)
            ),
            **more,
        }
        text = re.sub(
            r"\{\{(\w+)\}\}",
            lambda found: values[found[1]],
            template.read_text().partition("\n\n")[2],
        )
        config = directory / "kamailio.cfg"
        config.write_text(text)
        super().__init__(
            "kamailio",
            ["-DD", "-E", "-m", "32", "-M", "8", "-f", str(config), "-Y", str(directory)],
            directory,
        )
        with self.starting():
            self.answers_options(host, port)


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


def _tables(
    deployments: list[Deployment], trusted: list[str], spoilt: dict[str, str], queue: str | None
) -> Iterator[str]:
    for deployment in deployments:
        for line, trunk_name, did in deployment.all_dids():
            entry, trunk = deployment.lines[line], deployment.trunk(trunk_name)
            people = entry.group or entry.fallback
            if queue and people and deployment.groups[people].queue_s:
                yield table_entry("queues", did, queue)
            if entry.group:  # people only
                yield table_entry(
                    "groups", did, agents_of(deployment, deployment.groups[entry.group])
                )
                continue
            assistant = deployment.assistants[str(entry.assistant)]
            yield table_entry(
                "lines",
                did,
                _far_end(trunk, assistant.address, trunk.port if entry.reachable else 9),
            )
            if deployment.stand_in.options_every_s:
                yield table_entry("probed", did, str(1 + list(deployment.trunks).index(trunk)))
            if entry.plaintext:
                yield table_entry("plaintext", did, "yes")
            if deployment.integration == "gladly":
                yield table_entry("forwarded", did, entry.selector or "")
            yield table_entry(
                "capacity", did, f"{deployment.name}-{trunk.name}:{trunk.max_concurrent_calls}"
            )
            if entry.fallback:
                yield table_entry(
                    "fallback", did, agents_of(deployment, deployment.groups[entry.fallback])
                )
        for group in deployment.groups.values():
            if queue and group.queue_s:
                yield table_entry("queues", str(group.did), queue)
            yield table_entry("groups", str(group.did), agents_of(deployment, group))
            if deployment.integration == "gladly":
                yield table_entry("secure", str(group.did), "yes")
                for other in deployment.groups.values():
                    for topic in other.topic:
                        yield table_entry(
                            "topics", f"{group.did}:{topic}", agents_of(deployment, other)
                        )
        for phone in deployment.phones.values():
            if phone.password is not None:
                yield table_entry(
                    "passwords", phone.username or phone.aor_user, phone.password.get_secret_value()
                )
        for trunk in deployment.trunks:
            if trunk.username and trunk.password is not None:
                yield table_entry("passwords", trunk.username, trunk.password.get_secret_value())
    for address in trusted:
        yield table_entry("trusted", address, "yes")
    for did, how in spoilt.items():
        yield table_entry("spoilt", did, how)


def agents_of(deployment: Deployment, group: Group) -> str:
    """Who rings, at once or one after the other; three at most."""
    return "|".join(deployment.phones[agent].aor_user for agent in group.present) or "nobody"


def table_entry(table: str, key: str, value: str) -> str:
    """An entry of one of Kamailio's tables."""
    return f'$sht({table}=>{key}) = "{value}";'
