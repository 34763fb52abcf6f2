"""From a deployment's entries to the configuration of softphones."""

from __future__ import annotations

from harness.deployment import Deployment, Trunk
from harness.errors import ResourceError
from harness.phone import PhoneConfig, TlsConfig


def own_phone(deployment: Deployment, name: str, **more: object) -> PhoneConfig:
    """The phone ``name`` of the deployment, as its account has it; ``more`` overrides single fields."""
    entry = deployment.phones[name]
    account = deployment.accounts[entry.account]
    if account.host is None or account.port is None:
        raise ResourceError(f"accounts.{entry.account}: no host is known; the world has not filled it in")
    host = f"[{account.host}]" if ":" in account.host else account.host  # IPv6
    server = f"{host}:{account.port}"
    fields: dict[str, object] = {
        "name": name,
        "user": entry.aor_user,
        "domain": account.domain,
        "transport": account.transport,
        "bind_address": entry.bind or account.bind or "0.0.0.0",
        "proxy": server,
        "registrar": server if account.register_ else None,
        "username": entry.username or entry.aor_user,
        "password": entry.password.get_secret_value() if entry.password else None,
        "tls": TlsConfig(ca_file=account.ca_file or deployment.ca_file),
        "public_address": account.public_address,
        "stun_server": account.stun_server,
        "rtp_ports": account.rtp_ports,
        "srtp": account.srtp,
    }
    return PhoneConfig(**(fields | more))  # type: ignore[arg-type]


def stand_in(deployment: Deployment, trunk: Trunk, **more: object) -> PhoneConfig:
    """A phone in the AI's place: it listens at the trunk's address, on the trunk's own port."""
    place = deployment.stand_in
    if place.bind is None or trunk.termination is None:
        raise ResourceError("stand_in.bind: no address is known; the world has not filled it in")
    fields: dict[str, object] = {
        "name": "stand-in",
        "user": next(iter(deployment.assistants.values())).did,
        "domain": place.bind,
        "transport": trunk.transport,
        "bind_address": place.bind,
        "bind_port": trunk.port,
        "proxy": trunk.termination,
        "username": trunk.username,
        "password": trunk.password.get_secret_value() if trunk.password else None,
        "tls": TlsConfig(ca_file=deployment.ca_file, certificate=place.certificate, private_key=place.private_key),
        "max_calls": 4,
    }
    return PhoneConfig(**(fields | more))  # type: ignore[arg-type]
