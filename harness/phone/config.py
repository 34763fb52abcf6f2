"""The configuration of a softphone: plain data, used by both the parent and the child process."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

Transport = Literal["udp", "tcp", "tls"]
Use = Literal["off", "optional", "required"]

#: The ciphers of TLS that phones offer and take, with IANA's numbers: ECDHE with AES-GCM (RFC 9325
#: section 4.2). The wheel's OpenSSL 1.0.2 would offer static RSA and DH, CBC and SHA-1 as well.
TLS_CIPHERS: Final = {
    "ECDHE-ECDSA-AES256-GCM-SHA384": 0xC02C,
    "ECDHE-RSA-AES256-GCM-SHA384": 0xC030,
    "ECDHE-ECDSA-AES128-GCM-SHA256": 0xC02B,
    "ECDHE-RSA-AES128-GCM-SHA256": 0xC02F,
}
#: The same of TLS 1.3, for a pjsua2 whose OpenSSL has it.
TLS13_CIPHERS: Final = {"TLS_AES_256_GCM_SHA384": 0x1302, "TLS_AES_128_GCM_SHA256": 0x1301}
_ANY_RTP_PORT = (10000, 59998)
_ANONYMOUS: Final = '"Anonymous" <sip:anonymous@anonymous.invalid>'  # RFC 3323 section 4.1.1.3


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Certificates of a phone on TLS: paths of PEM files.

    ``verify`` checks the server's certificate against ``ca_file`` and its name against the host of
    the next hop. A phone that is called over connections it did not open itself needs
    ``certificate`` and ``private_key``.
    """

    ca_file: str | None = None
    certificate: str | None = None
    private_key: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """One softphone. Raises ``ValueError`` for a combination that cannot work.

    ``user`` is a number or an extension, ``domain`` the host of its address of record. ``proxy``
    and ``registrar`` are ``host:port``; requests go to ``proxy`` if it is set, else to the host of
    their URI. SIP and RTP leave from ``bind_address``. Offers list ``codecs`` in this order. Two
    equal configurations describe the same phone: a second lease may find it already registered.
    """

    name: str
    user: str
    domain: str
    transport: Transport = "udp"
    bind_address: str = "127.0.0.1"
    bind_port: int = 0  #: 0: any free port
    proxy: str | None = None
    registrar: str | None = None
    username: str | None = None
    realm: str = ""  #: the digest realm the password is for; ``*``: any; empty: the realm of the first challenge
    password: str | None = field(default=None, repr=False)
    register_expires: int = 300  #: seconds
    #: Longest pause between packets of a registered phone on UDP (RFC 5626 section 4.4.2).
    keep_alive_s: int = 29
    tls: TlsConfig = TlsConfig()
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    srtp: Literal["off", "optional", "mandatory"] = "off"
    session_timer: Use = "optional"
    session_expires: int = 1800  #: seconds, RFC 4028 allows no less than 90
    min_se: int = 90
    reliable_provisional: Use = "off"  #: 100rel, RFC 3262
    max_calls: int = 1
    #: Addresses, networks and host names whose requests the phone accepts; None accepts all. Always
    #: accepted: hosts that the phone sends requests to, hosts that an INVITE names for its dialog,
    #: and connections that the phone opened.
    accepts_from: tuple[str, ...] | None = None
    rtp_ports: tuple[int, int] | None = None  #: first and last; None lets the kernel choose
    #: The address in Contact, Via and SDP, if not ``bind_address``.
    public_address: str | None = None
    stun_server: str | None = None
    #: RFC 3323: anonymous From, Privacy: id, the number in P-Asserted-Identity.
    privacy: bool = False

    def __post_init__(self) -> None:
        if not self.name or not self.user or not self.domain:
            raise ValueError("a phone needs a name, a user and a domain")
        if not self.codecs:
            raise ValueError(f"phone {self.name} has no codec")
        phone = f"phone {self.name}"
        if self.max_calls < 1:
            raise ValueError(f"{phone}: max_calls is {self.max_calls}; it must be 1 or more")
        if self.ipv6 and self.srtp != "off":
            raise ValueError(f"{phone}: SRTP over IPv6 is not supported")
        if self.session_expires < 90 or self.min_se < 90:
            raise ValueError(f"{phone}: RFC 4028 requires session intervals of at least 90 s")
        if self.password is not None and self.username is None:
            raise ValueError(f"{phone} has a password but no username")
        if bool(self.tls.certificate) != bool(self.tls.private_key):
            raise ValueError(f"{phone}: set both the certificate and its private key, or neither")

    @property
    def media_ports(self) -> tuple[int, int]:
        """The first and the last port for RTP and RTCP."""
        return self.rtp_ports or _ANY_RTP_PORT

    @property
    def ipv6(self) -> bool:
        """True when bound to an IPv6 address; SDP then says IP6 (RFC 4566 section 5.7), even if the
        far end offers IP4.
        """
        return ":" in self.bind_address

    @property
    def address_of_record(self) -> str:
        return f"sip:{self.user}@{self.domain}"

    def from_uri(self, identity: str | None) -> str:
        """The From URI for a call by ``identity``, a user of the phone's domain; empty when From is
        the address of record.
        """
        if self.privacy:
            return _ANONYMOUS
        return f"<sip:{identity}@{self.domain}>" if identity else ""

    def target(self, uri: str) -> str:
        """The complete SIP URI to dial, with the phone's transport when no proxy chooses one."""
        if ":" not in uri:
            uri = f"sip:{uri}@{self.domain}"
        if self.proxy or self.transport == "udp":
            return uri
        if not uri.startswith("sip:") or ";transport=" in uri.lower():
            return uri
        head, question, headers = uri.partition("?")
        return f"{head};transport={self.transport}{question}{headers}"

    def accepted_networks(self) -> list[str] | None:
        """The addresses and networks of ``accepts_from``, with host names resolved now; None
        accepts all.

        A name without an address adds nothing; requests from it are then refused, and reported.
        """
        if self.accepts_from is None:
            return None
        found: dict[str, None] = {}
        for place in self.accepts_from:
            bare = place.strip("[]")
            with contextlib.suppress(ValueError):
                found[str(ipaddress.ip_network(bare, strict=False))] = None
                continue
            with contextlib.suppress(OSError):
                found |= dict.fromkeys(_addresses(bare))
        return list(found)

    def to_plain(self) -> dict[str, Any]:
        """The configuration as JSON-ready data. It includes the password: use it only on the pipe
        to the child.
        """
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> PhoneConfig:
        """The inverse of :meth:`to_plain`."""
        values = dict(plain)
        values["tls"] = TlsConfig(**values["tls"])
        values["codecs"] = tuple(values["codecs"])
        if values["accepts_from"] is not None:
            values["accepts_from"] = tuple(values["accepts_from"])
        if values["rtp_ports"] is not None:
            values["rtp_ports"] = tuple(values["rtp_ports"])
        return cls(**values)


@lru_cache(maxsize=256)  # keeps successes only: a failed lookup is repeated for the next phone
def _addresses(name: str) -> tuple[str, ...]:
    entries = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries))


#: Bundle files that hold all authorities: Debian and Ubuntu, Fedora, SUSE.
_WHOLE_LISTS: Final = ("ca-certificates.crt", "ca-bundle.crt", "ca-bundle.pem")


def system_authorities() -> str | None:
    """The path of the system's bundle of authorities; None when the system has none, and then no
    certificate is trusted.

    pjsip trusts no certificate unless it is given a file of authorities.
    """
    import ssl  # here, because each phone process imports this module, and needs no ssl

    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    if not paths.capath:
        return None
    for name in _WHOLE_LISTS:
        bundle = Path(paths.capath) / name
        if bundle.is_file():
            return str(bundle)
    return None
