"""The configuration of softphones, from a deployment's entries."""

from __future__ import annotations

import socket
from dataclasses import replace

from pydantic import SecretStr

from harness.deployment import CALLS_A_PHONE, STAND_IN, Deployment, Trunk, in_uri, is_ipv6
from harness.errors import BrokenError, ResourceError
from harness.phone import PhoneConfig, TlsConfig
from harness.phone.config import system_authorities
from harness.support.once_each import once_for_each
from harness.witness.ports.services import as_place, server_of, termination_of


@once_for_each
def sources(deployment: Deployment) -> tuple[str, ...] | None:
    """The hosts and addresses from which the deployment's phones take calls; None: any."""
    if deployment.strangers == "answer":
        return None
    platform = deployment.platform
    places = [platform.host, *platform.addresses]
    for account in deployment.accounts.values():
        places.append(account.host)
        if account.host:
            host, _ = server_of(account.host, account.port, account.transport)
            places.append(host)
        places += account.addresses
    for trunk in deployment.trunks:
        places += [trunk.host, trunk.termination_host]
        termination = termination_of(trunk)
        if termination is not None:
            host, _ = termination
            places.append(host)
        places += trunk.allowed_addresses
    return tuple(dict.fromkeys(place.strip("[]") for place in places if place))


def own_phone(deployment: Deployment, name: str, /, **more: object) -> PhoneConfig:
    """The phone ``name`` of the deployment, as its account has it; ``more`` overrides single
    fields.
    """
    entry = deployment.phones[name]
    account = deployment.accounts[entry.account]
    if account.host is None:
        raise ResourceError(
            f"accounts.{entry.account}: no host is known; the world has not filled it in"
        )
    host, port = server_of(account.host.strip("[]"), account.port, account.transport)
    server = as_place((host, port))
    any_address = _towards(host, port) if is_ipv6(host) else "0.0.0.0"
    # without a password it would try an empty one
    username = (entry.username or entry.aor_user) if entry.password else None
    config = PhoneConfig(
        name=name,
        user=entry.aor_user,
        domain=in_uri(account.domain),
        transport=account.transport,
        bind_address=entry.bind or account.bind or any_address,
        proxy=server,
        registrar=server if account.register_ else None,
        username=username,
        realm=entry.realm or "",
        password=secret_of(entry.password),
        tls=TlsConfig(
            ca_file=_trusted(account.transport, account.ca_file or deployment.ca_file),
            certificate=account.certificate,
            private_key=account.private_key,
        ),
        public_address=account.public_address,
        stun_server=account.stun_server,
        rtp_ports=account.rtp_ports,
        srtp=account.srtp,
        accepts_from=sources(deployment),
    )
    return replace(config, **more)  # type: ignore[arg-type]


def stand_in(deployment: Deployment, trunk: Trunk, **more: object) -> PhoneConfig:
    """A phone that stands in for the AI: it listens at the trunk's address, on the trunk's own
    port.
    """
    place = deployment.stand_in
    server = termination_of(trunk)
    if place.bind is None or server is None:
        raise ResourceError("stand_in.bind: no address is known; the world has not filled it in")
    addresses = (assistant.address for assistant in deployment.assistants.values())
    config = PhoneConfig(
        name=STAND_IN,
        user=next(addresses, trunk.username or STAND_IN),
        domain=in_uri(place.bind),
        transport=trunk.transport,
        bind_address=place.bind,
        bind_port=trunk.port,
        proxy=as_place(server),
        username=trunk.username,
        realm=trunk.realm or "",
        password=secret_of(trunk.password),
        tls=TlsConfig(
            ca_file=_trusted(trunk.transport, deployment.ca_file),
            certificate=place.certificate,
            private_key=place.private_key,
        ),
        max_calls=CALLS_A_PHONE,
        accepts_from=sources(deployment),
    )
    return replace(config, **more)  # type: ignore[arg-type]


def stranger(deployment: Deployment, trunk: Trunk, **more: object) -> PhoneConfig:
    """A phone at an address that no allowlist has."""
    bind = deployment.stand_in.stranger_bind
    if bind is None:
        raise BrokenError("stand_in.stranger_bind: is missing")
    return stand_in(deployment, trunk, bind_address=bind, **more)


def secret_of(kept: SecretStr | None) -> str | None:
    """The password itself; None without one."""
    return kept.get_secret_value() if kept else None


def _trusted(transport: str, ca_file: str | None) -> str | None:
    """The authorities that a phone trusts: on TLS, the system's list if the file names none."""
    if ca_file:
        return ca_file
    return system_authorities() if transport == "tls" else None


def _towards(host: str, port: int) -> str:
    """The IPv6 address of this machine from which packets to ``host`` leave. Sends none."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect((host, port))
        except OSError as error:
            raise ResourceError(
                f"{host}: no way leads there over IPv6: {error.strerror}"
            ) from error
        return str(trial.getsockname()[0])
