"""The pjsua2 Endpoint: its configuration, transports and codecs."""

from __future__ import annotations

import contextlib
import hashlib
import math
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from harness.phone.child.bindings import (
    FRAME_MS,
    EndpointListener,
    PjEndpoint,
    PjLog,
    Refusal,
    pj,
)
from harness.phone.child.media_threads import MediaThreads
from harness.phone.child.native import RATE, Native
from harness.phone.child.sdp import codec_of
from harness.phone.child.socket_limits import LONGEST_TRANSACTION, WILDCARDS, SocketName
from harness.phone.config import TLS13_CIPHERS, TLS_CIPHERS, PhoneConfig
from harness.sip.grammar import SipSyntaxError
from harness.sip.sdp import Codec
from harness.sip.uri import NameAddr
from harness.support.files import user_files, whole_file

#: By transport, and whether it is IPv6.
_TRANSPORTS: Final = {
    ("udp", False): pj.PJSIP_TRANSPORT_UDP,
    ("tcp", False): pj.PJSIP_TRANSPORT_TCP,
    ("tls", False): pj.PJSIP_TRANSPORT_TLS,
    ("udp", True): pj.PJSIP_TRANSPORT_UDP6,
    ("tcp", True): pj.PJSIP_TRANSPORT_TCP6,
    ("tls", True): pj.PJSIP_TRANSPORT_TLS6,
}


class Endpoint:
    """The running pjsua2; its files go to ``directory``. ``most_calls`` is the number of call slots
    of this build.

    There is one in a process. It is not thread-safe but for `wake`: pjsua works in `handle_events`,
    and calls back from there.
    """

    def __init__(self, listener: EndpointListener, directory: Path) -> None:
        self._directory = directory
        self.native = Native(pj._pjsua2.__file__)
        self._stack = PjEndpoint(listener)
        self._stack.libCreate()
        config = pj.EpConfig()
        self.most_calls: int = config.uaConfig.maxCalls
        self._configure(config)
        self._log = PjLog(listener)
        config.logConfig.writer = self._log
        self._stack.libInit(config)
        self._log.thisown = False  # the Endpoint owns it now
        waking = self._stack.transportCreate(pj.PJSIP_TRANSPORT_UDP, _bound("127.0.0.1", 0))
        host, port = self.address_of(waking).rsplit(":", 1)
        self._waker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._waker.connect((host, int(port)))
        self._stack.libStart()
        self.media_threads = MediaThreads(self.native.library)
        self.version: str = self._stack.libVersion().full
        codecs = self._stack.codecEnum2()
        self._codec_ids = [codec.codecId for codec in codecs]
        # If a codec has several rates, its name means the first one, which pjsua prefers.
        self._codecs = {name.split("/")[0].upper(): name for name in reversed(self._codec_ids)}
        for codec in self._codec_ids:
            if codec.startswith(("PCMU/", "PCMA/")):
                self._conceal_nothing(codec)
        self._afterwards: list[Callable[[], None]] = []
        self._preferred: tuple[str, ...] = ()
        self._stun_server = ""

    @staticmethod
    def _configure(config: Any) -> None:
        """Have pjsua add nothing of its own: no threads, no echo canceller, no voice detection."""
        ua = config.uaConfig
        media = config.medConfig
        log = config.logConfig
        ua.threadCnt = 0  # the process's main thread serves pjsip, in `handle_events`
        ua.mainThreadOnly = False
        ua.natTypeInSdp = 0
        ua.userAgent = "call-verification-harness"
        media.clockRate = media.sndClockRate = RATE
        media.audioFramePtime = media.ptime = FRAME_MS
        media.noVad = True
        media.ecTailLen = 0
        # Play each packet as soon as it is due: no prefetching, at most two frames if the network
        # has jitter.
        media.jbInit = 0
        media.jbMaxPre = 2 * FRAME_MS
        media.jbMax = 200
        media.sndAutoCloseTime = -1  # MediaThreads stops the clock
        log.level = log.consoleLevel = 4  # the "console" is the writer
        log.msgLogging = 1
        log.decor = pj.PJ_LOG_HAS_SENDER

    def _conceal_nothing(self, codec: str) -> None:
        """Disable packet loss concealment, so that recordings contain exactly the received samples.

        pjmedia's concealment (WSOLA) delays all audio by 5 ms, fades the first packet in, and
        prolongs a voice that has ended.
        """
        parameters = self._stack.codecGetParam(codec)
        setting = parameters.setting
        setting.plc = False
        parameters.setting = setting
        self._stack.codecSetParam(codec, parameters)

    def check_codecs(self, names: Sequence[str]) -> None:
        """Refuse codecs that are not built in."""
        unknown = [name for name in names if name.upper() not in self._codecs]
        if unknown:
            have = ", ".join(sorted(self._codecs))
            lacks = f"this build of pjsua2 has no {', '.join(unknown)}"
            raise Refusal("resource", f"{lacks}; it has {have}")

    def prefer(self, codecs: tuple[str, ...]) -> None:
        """Set the codecs of the next SDP. pjsua has one list for all accounts, so it is set before
        each SDP.
        """
        if self._preferred == codecs:
            return
        wanted = [self._codecs[name.upper()] for name in codecs]
        for codec in self._codec_ids:
            priority = 0  # disabled
            if codec in wanted:
                priority = 250 - wanted.index(codec)
            self._stack.codecSetPriority(codec, priority)
        self._preferred = codecs

    def spoken(self, codecs: tuple[str, ...]) -> list[Codec]:
        """The codecs of these names, as in SDP."""
        return [codec_of(self._codecs[name.upper()]) for name in codecs]

    def wake(self) -> None:
        """Make :meth:`handle_events` return, with a datagram too short for SIP, which pjsip drops
        silently.
        """
        with contextlib.suppress(OSError):
            self._waker.send(b"\r\n")

    def handle_events(self, longest: float) -> None:
        """Let the stack work until an event was handled, for at most ``longest`` seconds."""
        self._stack.libHandleEvents(max(1, math.ceil(longest * 1000)))

    def afterwards(self, action: Callable[[], None]) -> None:
        """Run ``action`` after pjsua's callback has returned.

        pjsua frees the INVITE after ``onIncomingCall`` and asserts if an answer has freed it
        before, as any final answer to an INVITE without SDP does.
        """
        self._afterwards.append(action)

    def run_afterwards(self) -> None:
        """Run the actions that waited for a callback to return."""
        actions, self._afterwards = self._afterwards, []
        for action in actions:
            with contextlib.suppress(Refusal, pj.Error):  # the far end may have ended the call
                action()

    def use_stun(self, server: str) -> None:
        """Use ``server`` (``host:port``) to find public addresses. It applies to the whole process."""
        if self._stun_server == server:
            return
        servers = pj.StringVector()
        servers.append(server)
        try:
            self._stack.natUpdateStunServers(servers, True)
        except pj.Error as error:
            why = f"the STUN server {server} does not answer: {error.reason}"
            raise Refusal("resource", why) from error
        self._stun_server = server

    def open_transport(self, config: PhoneConfig) -> int:
        """Open a transport for a phone, bound to its address; returns pjsua's id."""
        if config.ipv6 and not self.native.has_ipv6():
            where = f"{config.transport} [{config.bind_address}]"
            raise Refusal(
                "resource",
                f"phone {config.name} cannot open {where}: the installed pjsua2 has no IPv6; use IPv4",
            )
        transport = _bound(config.bind_address, config.bind_port)
        transport.publicAddress = config.public_address or ""
        if config.transport == "tls":
            self._configure_tls(transport.tlsConfig, config)
        if config.transport != "udp":
            # Connections of the phone that had the port before may still be in TIME_WAIT.
            options = transport.sockOptParams
            options.sockOpts.append(pj.SockOpt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1))
            transport.sockOptParams = options
        kind = _TRANSPORTS[config.transport, config.ipv6]
        try:
            return int(self._stack.transportCreate(kind, transport))
        except pj.Error as error:
            where = f"{config.transport} {config.bind_address}:{config.bind_port}"
            why = f"phone {config.name} cannot open {where}: {error.reason}"
            raise Refusal("resource", why) from error

    def _configure_tls(self, tls: Any, config: PhoneConfig) -> None:
        """What the phone shows, whom it trusts, and which versions and ciphers it speaks."""
        trusted = config.tls.ca_file or ""
        if trusted and config.tls.certificate:
            try:
                trusted = unnamed(trusted, self._directory)
            except OSError as error:
                why = f"phone {config.name}: {trusted}: {error.strerror}"
                raise Refusal("resource", why) from error
        tls.CaListFile = trusted
        tls.certFile = config.tls.certificate or ""
        tls.privKeyFile = config.tls.private_key or ""
        tls.verifyServer = config.tls.verify
        # A handshake that never ends would keep its slot for ever: TLS has no time limit (RFC 5246,
        # RFC 8446), but its request times out after 64 × T1 (RFC 3261 timers B and F). The limit is
        # longer, so that requests time out first.
        tls.msecTimeout = round(LONGEST_TRANSACTION * 1000)
        # The latter where its OpenSSL has it.
        tls.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2 | pj.PJ_SSL_SOCK_PROTO_TLS1_3
        tls.ciphers = pj.IntVector([*TLS_CIPHERS.values(), *TLS13_CIPHERS.values()])

    def close_transport(self, transport: int) -> None:
        """Close a transport; pending transactions keep it for a while."""
        self._stack.transportClose(transport)

    def address_of(self, transport: int) -> str:
        """The ``address:port`` (IPv6: ``[address]:port``) in a transport's messages; behind a
        router, the router's.
        """
        name = str(self._stack.transportGetInfo(transport).localName)
        host, _, port = name.rpartition(":")
        return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else name

    def bound_to(self, transport: int, config: PhoneConfig) -> SocketName:
        """The name of the transport's socket. For a wildcard address, pjsip reports the interface
        that it publishes.
        """
        name = SocketName.parse(str(self._stack.transportGetInfo(transport).localAddress))
        if config.bind_address in WILDCARDS:
            return name._replace(host=config.bind_address)
        return name

    def error_text(self, status: int) -> str:
        """pjlib's text for a status."""
        return str(self._stack.utilStrError(status))


def is_sip_address(text: str) -> bool:
    """Whether ``text`` is a SIP or SIPS URI, by itself or as a name-addr.

    pjsua's check has a buffer of 1024 octets, enough for about fifteen parameters, and aborts the
    process beyond.
    """
    try:
        return NameAddr.parse(text).uri.scheme in ("sip", "sips")
    except SipSyntaxError:
        return False


def _bound(address: str, port: int) -> Any:
    transport = pj.TransportConfig()
    transport.boundAddress = address
    transport.port = port
    return transport


_LABELS = (
    (b"BEGIN CERTIFICATE-", b"BEGIN TRUSTED CERTIFICATE-"),
    (b"END CERTIFICATE-", b"END TRUSTED CERTIFICATE-"),
)


def unnamed(ca_file: str, directory: Path) -> str:
    """A copy of a file of authorities, in ``directory``, that pjsip trusts but does not list to
    clients. Raises OSError.

    pjsip (2.15.1) lists all authorities to each client (RFC 5246 section 7.4.4 allows an empty
    list), and a handshake of more than 8,192 octets never completes. OpenSSL trusts certificates
    labelled TRUSTED CERTIFICATE as well, but does not list them.
    """
    certificates = user_files.read(Path(ca_file), user_files.PEM)
    for label, own in _LABELS:
        certificates = certificates.replace(label, own)
    copy = directory / f"authorities-{hashlib.sha256(certificates).hexdigest()[:16]}.pem"
    if not copy.exists():
        whole_file.write(copy, certificates)  # other processes write the same content
    return str(copy)
