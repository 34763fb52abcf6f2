"""The phones of the process: each with its account and transport, or a share of another phone's
account.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.case.events import Event, RegistrationState
from harness.phone.child import socket_limits
from harness.phone.child.bindings import Headers, PjAccount, pj, set_headers
from harness.phone.child.header_rewrites import ANY, Challenges
from harness.phone.child.messages import WireMessage
from harness.phone.child.parent import Parent
from harness.phone.child.socket_limits import SocketName
from harness.phone.child.stack import Endpoint
from harness.phone.config import PhoneConfig
from harness.phone.protocol import Policy, Ring
from harness.sip.uri import registrar_uri

_MOST_ACCOUNTS: Final = 8  # PJSUA_MAX_ACC
#: pjsip refreshes no earlier than after five seconds (sip_reg.c), which is too late for the
#: shortest registrations.
_SHORT_REGISTRATION: Final = 10
_REFRESHES_AGAIN_S: Final = 1.0
_UNREGISTERS_AGAIN_S: Final = 0.1
_LASTING_S: Final = 60.0
_BY_ITS_PROXY: Final = 2  # PJSUA_REG_USE_ACC_PROXY

_SRTP: Final = {
    "off": pj.PJMEDIA_SRTP_DISABLED,
    "optional": pj.PJMEDIA_SRTP_OPTIONAL,
    "mandatory": pj.PJMEDIA_SRTP_MANDATORY,
}
_TIMER: Final = {
    "off": pj.PJSUA_SIP_TIMER_INACTIVE,
    "optional": pj.PJSUA_SIP_TIMER_OPTIONAL,
    "required": pj.PJSUA_SIP_TIMER_ALWAYS,
}
_RELIABLE: Final = {
    "off": pj.PJSUA_100REL_NOT_USED,
    "optional": pj.PJSUA_100REL_OPTIONAL,
    "required": pj.PJSUA_100REL_MANDATORY,
}


@dataclass(frozen=True)
class CallFilter:
    """Which calls belong to a case: those that show one of ``numbers`` (E.164), those that show no
    number if ``withheld``, and others if the case expects a call (``lands``). National numbers are
    read as dialled in ``region``, the phone's. ``ended`` has the callers of cases that were over
    before, each with the monotonic time until which a late call of theirs may come.
    """

    numbers: tuple[str, ...] = ()
    lands: bool = False
    withheld: bool = False
    region: str = ""
    ended: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PhoneHost:
    """The parts of the process that its phones use."""

    endpoint: Endpoint
    parent: Parent
    take_call: Callable[[AccountHolder, int], None]  #: creates the leg of pjsua's call
    #: The local names of a phone's connections, which are forgotten.
    take_connections: Callable[[HostedPhone], set[SocketName]]
    #: Removed phones whose accounts have unanswered requests.
    retired: list[AccountHolder] = field(default_factory=list)


class Sources:
    """The hosts from which a phone accepts requests: ``places``, and hosts that were added. None
    for ``places`` accepts all.
    """

    def __init__(self, places: Iterable[str] | None) -> None:
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] | None = None
        if places is not None:
            self._networks = [ipaddress.ip_network(place) for place in places]
        self._addressed: set[str] = set()

    def add(self, host: str) -> None:
        """Accept ``host``, to which the phone sends requests: requests in its dialogs may come from
        there (RFC 3261 section 12.2).
        """
        self._addressed.add(host)

    def include(self, host: str) -> bool:
        """Whether requests from the address ``host`` are accepted."""
        if self._networks is None or host in self._addressed:
            return True
        address = ipaddress.ip_address(host)
        return any(address in network for network in self._networks)


class HostedPhone:
    """One phone, leased or parked.

    It has a key by which the parent names it, a policy for incoming calls, and names for its legs.
    A parked phone is between two leases: registered, and without calls.
    """

    address: str  #: as its messages name it
    bound: SocketName
    account: PjAccount
    challenges: Challenges  #: decides which challenges its password answers

    def __init__(
        self,
        process: PhoneHost,
        key: int,
        config: PhoneConfig,
        directory: Path,
        sources: Sources,
    ) -> None:
        self.process = process
        self.key = key
        self.config = config
        self.directory = directory
        self.sources = sources
        self.policy: Policy = Ring()
        self.parked = self.gone = False
        self._legs_so_far = 0

    @property
    def host(self) -> str:
        """The address without its port."""
        return self.address.rsplit(":", 1)[0]

    @property
    def sent_by(self) -> str:
        """The address in the Via of its requests."""
        public = self.config.public_address
        if not public:
            return self.address
        _, _, port = self.address.rpartition(":")
        return f"{public}:{port}"

    @property
    def next_hops(self) -> set[str]:
        """The configured hosts that its requests go to."""
        named = (self.config.proxy, self.config.registrar)
        return {place.rpartition(":")[0] if ":" in place else place for place in named if place}

    @property
    def transport_name(self) -> str:
        """``udp``, ``tcp`` or ``tls``."""
        return self.config.transport

    @property
    def user(self) -> str:
        return self.config.user

    def next_leg_name(self) -> str:
        """``name.1``, ``name.2`` …; each lease starts again at 1."""
        self._legs_so_far += 1
        return f"{self.config.name}.{self._legs_so_far}"

    def adopt(self, directory: Path) -> None:
        """Begin a new lease of a parked phone."""
        self.parked = False
        self.policy = Ring()
        self._legs_so_far = 0
        self.directory = directory

    def emit(self, kind: type[Event], **facts: Any) -> None:
        """Emit an event of this phone, with the current time."""
        event = kind(at=time.monotonic(), phone=self.config.name, **facts)
        self.process.parent.emit([event], self.key)


class AccountHolder(HostedPhone):
    """A phone with its account. Raises :class:`Refusal` when its address is in use.

    It is created with its transport and account, registers when the parent asks for it, and
    refreshes by itself: pjsip does, but too late for the shortest registrations, and not over a
    connection that was lost. `close` frees its ports at once. The account of one with unanswered
    requests outlives it (`_create_account`).
    """

    _unregisters_at: float | None = 0.0  # the earliest time; None once un-REGISTER was sent
    _registered_at = 0.0
    _losses = 0  #: consecutive connections that did not last

    def __init__(
        self,
        process: PhoneHost,
        key: int,
        config: PhoneConfig,
        directory: Path,
        networks: list[str] | None,
    ) -> None:
        super().__init__(process, key, config, directory, Sources(networks))
        self.challenges = Challenges(config.realm)
        self.registration: RegistrationState | None = None  #: the registrar's last answer
        self.registers = False  #: a REGISTER is not answered yet
        self.refresh_at: float | None = None
        #: The cases that share the phone; empty when one case uses it alone.
        self.shares: list[PhoneShare] = []
        # Shares with a request that is not sent yet, and its method.
        self._asking: list[tuple[PhoneShare, str]] = []
        endpoint = process.endpoint
        if config.stun_server:
            endpoint.use_stun(config.stun_server)
        self._transport = endpoint.open_transport(config)
        self.address = endpoint.address_of(self._transport)
        self.bound = endpoint.bound_to(self._transport, config)
        self.account = PjAccount(self, process.parent.fault)
        #: Requests outside dialogs, by their tokens: the parent's command, and what the token
        #: points to.
        self._unanswered: dict[int, tuple[int, Any]] = {}
        try:
            self._create_account()
        except pj.Error:
            self.account.thisown = False
            endpoint.close_transport(self._transport)
            raise

    def _account_config(self) -> Any:
        """pjsua's account for the phone: where it registers, and what its messages name."""
        config = self.config
        account = pj.AccountConfig()
        account.idUri = f"<{config.address_of_record}>"
        suffix = "" if config.transport == "udp" else f";transport={config.transport}"
        sip = account.sipConfig
        register = account.regConfig
        nat = account.natConfig
        sip.transportId = self._transport
        if config.proxy:
            # "hide": the request goes to the proxy without a Route header for it.
            sip.proxies.append(f"<sip:{config.proxy}{suffix};lr;hide>")
        if config.username is not None:
            # pjsip may answer any realm: `Challenges` takes out those that must not be answered.
            password = config.password or ""
            sip.authCreds.append(pj.AuthCredInfo("digest", ANY, config.username, 0, password))
        if config.proxy and config.registrar in (None, config.proxy):
            register.registrarUri = registrar_uri(config.domain, config.proxy, config.transport)
            register.proxyUse = _BY_ITS_PROXY
        elif config.registrar:
            register.registrarUri = f"sip:{config.registrar}{suffix}"
            register.proxyUse = 0
        register.registerOnAdd = False
        register.timeoutSec = config.register_expires
        register.delayBeforeRefreshSec = max(1, min(5, config.register_expires // 3))
        # No automatic retry: it would hide a refusal.
        register.retryIntervalSec = 0
        # Messages name the configured addresses, even if the far end sees others.
        nat.contactRewriteUse = 0
        nat.viaRewriteUse = 0
        nat.sdpNatRewriteUse = 0
        nat.sipOutboundUse = 0
        nat.udpKaIntervalSec = config.keep_alive_s  # pjsip waits for four fifths of it, or more
        stun = pj.PJSUA_STUN_USE_DEFAULT if config.stun_server else pj.PJSUA_STUN_USE_DISABLED
        nat.sipStunUse = stun
        nat.mediaStunUse = stun
        # Without a certificate no one can open a TLS connection to the phone: name the port of the
        # connection it opened.
        nat.contactUseSrcPort = int(config.transport == "tls" and config.tls.certificate is None)
        self._configure_calls(account)
        return account

    def _configure_calls(self, account: Any) -> None:
        """What every call of the account negotiates: media, session timer, reliable provisional
        responses.
        """
        config = self.config
        media = account.mediaConfig
        call = account.callConfig
        media.lockCodecEnabled = False  # it would send a re-INVITE right after the answer
        media.srtpUse = _SRTP[config.srtp]
        media.srtpSecureSignaling = 0
        media.ipv6Use = pj.PJSUA_IPV6_DISABLED
        if config.ipv6:
            media.ipv6Use = pj.PJSUA_IPV6_ENABLED_USE_IPV6_ONLY
        rtp = media.transportConfig
        rtp.boundAddress = config.bind_address
        rtp.publicAddress = config.public_address or ""
        first, last = config.media_ports
        rtp.port = first
        rtp.portRange = last - first
        rtp.randomizePort = True
        call.timerUse = _TIMER[config.session_timer]
        call.timerSessExpiresSec = config.session_expires
        call.timerMinSESec = config.min_se
        call.prackUse = _RELIABLE[config.reliable_provisional]

    @property
    def registered(self) -> bool:
        return self.registration is not None and self.registration.active

    # What pjsua says.

    def incoming(self, call_id: int) -> None:
        """A call came in."""
        self.process.take_call(self, call_id)

    def registration_changed(self, code: int, reason: str, expires: int) -> None:
        """A REGISTER was answered."""
        active = 200 <= code < 300 and expires > 0
        self.registers = False
        self._registered_at = time.monotonic()
        self.refresh_at = None
        if active and expires < _SHORT_REGISTRATION:
            self.refresh_at = self._registered_at + expires * 2 / 3
        self.registration = RegistrationState(
            at=time.monotonic(),
            phone=self.config.name,
            code=code,
            reason=reason,
            expires=expires if active else 0,
            active=active,
        )
        self.process.parent.emit([self.registration], self.key)

    # What the parent asks for.

    def register(self, active: bool) -> None:
        """REGISTER, or take the registration back."""
        self.refresh_at = None
        self.registers = active
        self.account.setRegistration(active)

    def unregister(self, now: float) -> None:
        """Un-REGISTER once; called repeatedly until it succeeds."""
        if self._unregisters_at is None or now < self._unregisters_at:
            return
        try:
            self.register(False)
            self._unregisters_at = None
        except pj.Error:  # a refresh is still unanswered (PJSIP_EBUSY)
            self._unregisters_at = now + _UNREGISTERS_AGAIN_S

    def connection_lost(self, now: float) -> None:
        """REGISTER over a new connection, with growing delays: callers may only reach the phone
        over this connection.
        """
        if self.registered and self._unregisters_at == 0.0:
            self._losses = 0 if now > self._registered_at + _LASTING_S else self._losses + 1
            again = now + min(2.0**self._losses, _LASTING_S)
            self.refresh_at = again if self.refresh_at is None else min(again, self.refresh_at)

    def refresh(self, now: float) -> None:
        """REGISTER again if that is due."""
        if self.refresh_at is None or now < self.refresh_at:
            return
        try:
            self.register(True)
        except pj.Error:  # pjsip's refresh is still unanswered (PJSIP_EBUSY)
            self.refresh_at = now + _REFRESHES_AGAIN_S

    def send_request(
        self, call: int, method: str, uri: str, headers: Headers, body: str, content_type: str
    ) -> None:
        """Send a request outside dialogs; the parent's command ``call`` is answered with the final
        response.
        """
        made = pj.SendRequestParam()
        made.method = method
        option = made.txOption
        option.targetUri = uri
        set_headers(option, headers)
        if body:
            option.msgBody = body
            option.contentType = content_type
        made.userData = made  # the token must be a pointer
        self.account.sendRequest(made)
        self._unanswered[int(made.this)] = call, made

    def send_for(self, share: PhoneShare, call: int, method: str, *request: Any) -> None:
        """Send a request by the shared account; its messages are attributed to ``share``."""
        asked = share, method
        self._asking.append(asked)
        try:
            self.send_request(call, method, *request)
        except pj.Error:
            self._asking.remove(asked)
            raise

    def asker(self, message: WireMessage) -> HostedPhone:
        """The share that asked for this request outside of calls, else the account's phone."""
        for asked in self._asking:
            share, method = asked
            if method == message.method:
                self._asking.remove(asked)
                return share
        return self

    def forget(self, share: PhoneShare) -> None:
        """Remove the share of a case that is over."""
        self.shares.remove(share)
        self._asking = [asked for asked in self._asking if asked[0] is not share]

    def request_answered(self, token: int, code: int, reason: str) -> None:
        """A request outside dialogs was answered."""
        if code < 200:
            return
        asked = self._unanswered.pop(token, None)
        if asked is not None:
            call, _ = asked
            self.process.parent.done(call, [code, reason])
        retired = self.process.retired
        if self in retired and not self._unanswered:
            retired.remove(self)
            self.process.endpoint.afterwards(self._delete_account)

    def close(self) -> None:
        """Delete the account and free its ports.

        pjsip keeps a transport until its last transaction times out (RFC 3261 timer J: 32 s), but
        the next case, perhaps in another process, needs the port now; and pjsip has only 64
        sockets.
        """
        endpoint = self.process.endpoint
        udp = None
        if self.config.transport == "udp":
            udp = endpoint.native.udp_transport(self.account.getId())
        self.parked = self.gone = True
        if self._unanswered:
            self.process.retired.append(self)
        else:
            self._delete_account()
        if udp is not None:
            endpoint.native.close_udp_socket(udp)
        endpoint.close_transport(self._transport)
        kind = socket.SOCK_DGRAM if self.config.transport == "udp" else socket.SOCK_STREAM
        socket_limits.free({self.bound, *self.process.take_connections(self)}, kind)
        if udp is None:
            # Let pjsip see that the connections are closed before the next phone opens: it finds a
            # phone's connections by the memory address of the listener, which the next listener may
            # get, and would send a request over a closed connection.
            endpoint.handle_events(0)

    def _create_account(self) -> None:
        """Create the account.

        pjsua asserts when an answer or a timeout arrives for a deleted account, so accounts with
        unanswered requests are kept. When all account numbers are in use, a kept account is deleted
        and the new one takes its number and its answers.
        """
        retired = self.process.retired
        if retired and self.process.endpoint.native.accounts() >= _MOST_ACCOUNTS:
            former = retired.pop(0)
            former._delete_account()
            self._unanswered = former._unanswered
        self.account.create(self._account_config())

    def _delete_account(self) -> None:
        self.account.shutdown()
        # Its destructor would delete the account that then has its number, so it is never
        # destroyed.
        self.account.__disown__()
        self.account.listener = None


class PhoneShare(HostedPhone):
    """One case's share of a phone that several cases use at once. The parent treats it as a phone."""

    def __init__(
        self,
        holder: AccountHolder,
        key: int,
        config: PhoneConfig,
        directory: Path,
        claim: CallFilter,
    ) -> None:
        super().__init__(holder.process, key, config, directory, holder.sources)
        self.holder = holder
        self.claim = claim
        self.address = holder.address
        self.bound = holder.bound
        self.account = holder.account
        self.challenges = holder.challenges
        self.calls = 0  #: calls assigned to it
        holder.shares.append(self)

    def register(self, active: bool) -> None:
        """The account is registered once for all shares; a share never un-registers."""
        assert active
        kept = self.holder.registration
        if kept is not None and kept.active:
            self.process.parent.emit([kept], self.key)
        elif not self.holder.registers:
            self.holder.register(True)

    def send_request(self, *request: Any) -> None:
        self.holder.send_for(self, *request)

    def close(self) -> None:
        """End the share; the account stays."""
        self.gone = True
        self.holder.forget(self)


LeasedPhone = AccountHolder | PhoneShare


def account_holders(phones: Mapping[int, LeasedPhone]) -> list[AccountHolder]:
    """The phones that have an account."""
    return [phone for phone in phones.values() if isinstance(phone, AccountHolder)]
