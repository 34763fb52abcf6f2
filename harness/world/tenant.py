"""One tenant: a carrier, a platform and a Synthflow on a block of addresses, and the deployment
that describes them.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, SecretStr

from harness.deployment import (
    PLAIN_PORT,
    TLS_PORT,
    Account,
    Deployment,
    Timings,
    Trunk,
    from_plain,
    to_plain,
)
from harness.deployment.safety import numbers_of
from harness.errors import DeploymentError
from harness.support.model_words import nearest
from harness.support.network_text import keep_secret
from harness.world.addresses import Block, Host, take_block
from harness.world.b2bua import BackToBack, Watched, end_dead_calls
from harness.world.capture import Captures
from harness.world.carrier import Carrier
from harness.world.faults import BAD_CERTIFICATES, Faults
from harness.world.http_server import HttpServer
from harness.world.media.rtp import local_network
from harness.world.network import Firewall, Noise, stranger
from harness.world.pki import Certificates
from harness.world.platform.answering import announce
from harness.world.platform.base import GenericSbc, Gladly, Platform, Talkdesk
from harness.world.platform.call import take_platform_calls
from harness.world.platform.campaign import campaigns
from harness.world.platform.routing import Termination
from harness.world.settings import (
    Point,
    Settings,
    TenantContext,
    as_declared,
    differing,
    parse,
)
from harness.world.synthflow.api import api, with_models
from harness.world.synthflow.conversation import Conversation, Synthflow
from harness.world.synthflow.recordings import RecordingStore
from harness.world.synthflow.trunks import Region, SipNumbers, Trunks
from harness.world.wire.agent import UserAgent
from harness.world.wire.transactions import Timers
from harness.world.wire.transport import (
    TRANSPORTS,
    Endpoint,
    TlsIdentity,
    Trace,
    Traced,
    TransportName,
)

if TYPE_CHECKING:
    from harness.world.world import World


_log = logging.getLogger(__name__)


def with_addresses(deployment: Deployment, block: Block, certificates: Certificates) -> Deployment:
    """The deployment with addresses, certificates and passwords, which are known before anything
    listens. Ports follow once it does.
    """
    plain = to_plain(deployment)
    plain.pop("simulated", None)  # not published
    for owner in (*plain["trunks"], *plain["assistants"].values()):  # one API answers for all
        for key in ("api_base", "api_token_env"):
            owner.pop(key, None)
    for trunk in plain["trunks"]:
        trunk["host"] = block[Host.SYNTHFLOW if trunk["ai"] == "synthflow" else Host.STAND_IN]
        trunk["allowed_addresses"] = [block[Host.SYNTHFLOW], block[Host.STAND_IN]]
        if trunk.get("username"):
            trunk["password"] = _password()
    for phone in plain["phones"].values():
        phone["username"] = phone.get("user") or phone["number"]
        phone["password"] = _password()
    for index, account in enumerate(plain["accounts"].values()):
        account["bind"] = block[Host.FIRST_PHONE + index]
    plain["ca_file"] = certificates.ca_file  # one authority has signed all certificates of a world
    addresses = {"bind": block[Host.STAND_IN], "stranger_bind": block[Host.STRANGER]}
    plain["stand_in"] |= addresses | certificates.for_stand_in()
    return from_plain(plain)


_Table = TypeVar("_Table", bound=BaseModel)


def _with(table: _Table, **filled: Any) -> _Table:
    """A copy with these values. It is not checked again, which takes half of a tenant's start."""
    return table.model_copy(update=filled)


def _password() -> str:
    return secrets.token_urlsafe(12)


_PLATFORMS: Final[dict[str, type[Platform]]] = {
    "talkdesk": Talkdesk,
    "gladly": Gladly,
    "generic": GenericSbc,
}

_ENDED_WITHIN_S: Final = 10.0
_LOOKED_EVERY_S: Final = 0.02


class Tenant:
    """Made of a deployment without hosts; :attr:`deployment` has them once the tenant has started.

    Its parts start in the order in which they need each other's addresses: carrier, Synthflow's
    signalling, platform with trunks, Synthflow itself, noise. Each part that has come up fills what
    it knows into the deployment. Everything is real on the wire: the parts call each other by SIP
    and RTP on addresses of the tenant's block.
    """

    def __init__(self, number: int, world: World, deployment: Deployment, timings: Timings) -> None:
        self.number = number
        block = take_block()
        settings = parse(deployment.simulated, speech=world.speech)
        self._declared = deployment
        if settings.differs:
            # The world is built of what the platform really does, and says what the file declares.
            deployment = from_plain(differing(to_plain(deployment), settings.differs))
        self._certificates = Certificates(f"tenant-{number}", deployment, block, world.authority)
        self.context = TenantContext(
            with_addresses(deployment, block, self._certificates),
            timings,
            Faults(deployment.integration, frozenset(deployment.lines)),
            settings,
            world.audit,
            world.ticker,
            block,
        )
        self._media_engine = world.media_engine
        self._trace = world.trace
        self._captures = Captures(
            world.directory / f"captures-{number}", local_network(), _captured(deployment, block)
        )
        self._stranger = stranger(set(numbers_of(self.deployment)))
        self._agents: list[UserAgent] = []
        self._campaigns: HttpServer | None = None
        self._api: HttpServer | None = None
        self._recordings: HttpServer | None = None
        self._watching: asyncio.Task[None] | None = None
        self._firewall = Firewall(self.context)
        self._security: tuple[str | None, frozenset[str]] = (None, frozenset())
        self.context.faults.on_change.append(self._security_changed)

    @property
    def deployment(self) -> Deployment:
        return self.context.deployment

    @property
    def as_declared(self) -> Deployment:
        """What the file declares, with the hosts of this tenant."""
        differs = self.context.settings.differs
        if not differs:
            return self.deployment
        return from_plain(as_declared(to_plain(self.deployment), to_plain(self._declared), differs))

    def _security_changed(self) -> None:
        """Close the connections that were made with the certificate and the firewall of before: a
        fault is to show at the next message, and no handshake would follow on an open connection.
        """
        is_set = self.context.faults.is_set
        wrong = next((kind for fault, kind in BAD_CERTIFICATES.items() if is_set(fault)), None)
        now = (wrong, self._firewall.blocked)
        if now == self._security:
            return
        self._security = now
        self._certificates.show_for_synthflow(wrong)
        agents = [self._synthflow_ua]
        agents += [termination.ua for termination in self.platform.terminations.values()]
        for ua in agents:
            for flow in ua.transport.flows():
                flow.close()

    # --- life --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen on everything. Raises `ListenError`."""
        self._captures.make(self.context.settings.captures)
        await self._start_carrier()
        await self._start_synthflow_agents()
        await self._start_platform()
        await self._start_synthflow()
        await self._start_noise()
        faults = self.context.faults
        faults.on_change.append(
            lambda: _log.info("tenant %d faults: %s", self.number, faults.listed())
        )

    async def _agent(
        self,
        name: str,
        listens: list[Endpoint],
        tls: TlsIdentity | None,
        trace: Trace | None = None,
        **more: Any,
    ) -> UserAgent:
        """Start a user agent of this tenant, which :meth:`close` stops."""
        more = {"filter": self._firewall.delay} | more
        ua = UserAgent(name, listens, tls=tls, trace=trace or self._trace, **more)
        await ua.start()
        self._agents.append(ua)
        return ua

    async def _start_carrier(self) -> None:
        """Start the carrier, with an account for each telephone, and one for a stranger."""
        address = self.context.block[Host.CARRIER]
        ua = await self._agent("carrier", _listens(address, TRANSPORTS), self._certificates.carrier)
        noisy = self._stranger
        passwords = self._passwords(at_carrier=True) | {noisy.username: noisy.password}
        telephones = [phone for phone in self.deployment.phones.values() if phone.number]
        users = {phone.number: phone.aor_user for phone in telephones if phone.number}
        users[noisy.username] = noisy.username
        realm = "carrier.example"
        if telephones:
            realm = self.deployment.accounts[telephones[0].account].domain
        self.carrier = Carrier(self.context, ua, realm, passwords, users)

    def _passwords(self, *, at_carrier: bool) -> dict[str, str]:
        """Phones with a number have their account with the carrier, those with a user name with the
        platform.
        """
        passwords = {}
        for phone in self.deployment.phones.values():
            if phone.password and bool(phone.number) is at_carrier:
                passwords[phone.aor_user] = phone.password.get_secret_value()
        return passwords

    async def _start_platform(self) -> None:
        """Start the platform and its trunks, and fill the addresses that have come up into the
        deployment.
        """
        deployment = self.deployment
        block = self.context.block
        kind = _kind_of(deployment)
        ua = await self._agent(
            "platform",
            _listens(block[Host.PLATFORM], kind.transports),
            self._certificates.platform,
            self._platform_trace,
        )
        terminations = {
            trunk.name: await self._start_termination(trunk, block[Host.FIRST_TRUNK + index])
            for index, trunk in enumerate(deployment.trunks)
        }
        self.platform = kind(self.context, ua, terminations, self._passwords(at_carrier=False))
        await self._start_announcements()
        self._join_carrier()
        take_platform_calls(self.platform)
        watch = end_dead_calls(self._legs, self.context.audit)
        self._watching = self.context.audit.spawn(watch, f"tenant {self.number} watches its calls")
        campaign = deployment.campaign
        if campaign is not None:
            self._campaigns = HttpServer(campaigns(self.platform, deployment), block[Host.PLATFORM])
            url = f"http://{await self._campaigns.start()}/campaigns/calls"
            campaign = _with(campaign, url=url)
        trunks = []
        for trunk in deployment.trunks:
            listen = terminations[trunk.name].ua.listening[0]
            trunks.append(_with(trunk, termination=f"{listen.address}:{listen.port}"))
        accounts = {
            name: self._account_with_registrar(name, account)
            for name, account in deployment.accounts.items()
        }
        listen = ua.local(_transport_of_agents(deployment) or kind.transports[0])
        entry = _with(deployment.platform, host=listen.address, port=listen.port)
        self.context.deployment = _with(
            deployment, trunks=tuple(trunks), accounts=accounts, platform=entry, campaign=campaign
        )

    def _account_with_registrar(self, name: str, account: Account) -> Account:
        """The account with the address where its phones register."""
        at_carrier = _is_at_carrier(self.deployment, name)
        ua = self.carrier.ua if at_carrier else self.platform.ua
        listen = ua.local(account.transport)
        return _with(
            account,
            host=listen.address,
            port=listen.port,
            ca_file=self._certificates.ca_file,
        )

    def _join_carrier(self) -> None:
        """Let carrier and platform reach each other, over the transport that the platform prefers."""
        carrier = self.carrier
        platform = self.platform
        transport = platform.transports[0]
        carrier.platform = platform
        carrier.to_platform = platform.ua.local(transport)
        platform.carrier = carrier.ua.local(transport)
        platform.subscribers = frozenset(carrier.subscribers)

    async def _start_announcements(self) -> None:
        """Start the platform's own voice: a user agent that its calls reach as they reach anybody."""
        platform = self.platform
        block = self.context.block
        ua = await self._agent("announcements", [Endpoint("udp", block[Host.ANNOUNCEMENTS])], None)
        ua.on_invite = partial(announce, platform)
        platform.announcements = ua
        # A platform that signals over TLS only still reaches its own machines over UDP.
        platform.to_announcements = await self._agent(
            "platform-inside", [Endpoint("udp", block[Host.PLATFORM])], None
        )

    def _legs(self) -> list[Watched]:
        calls: list[BackToBack | Conversation] = [*self._calls, *self.synthflow.conversations]
        return [watched for call in calls for watched in call.watched()]

    @property
    def _calls(self) -> list[BackToBack]:
        return [*self.platform.calls, *self.carrier.calls]

    async def _start_termination(self, trunk: Trunk, address: str) -> Termination:
        """Start a trunk's end at the platform. It gives up sooner than RFC 3261 says, as some SBCs do."""
        timers = Timers(patience=10)
        ua = await self._agent(
            "trunk",
            [Endpoint(trunk.transport, address)],
            self._certificates.platform,
            self._platform_trace,
            timers=timers,
            filter=self._firewall.judge,
        )
        clear = None
        if self.deployment.integration == "gladly":
            clear = await self._agent(
                "trunk", [Endpoint("udp", address)], None, self._platform_trace, timers=timers
            )
        return Termination(self.context, trunk, ua, clear)

    async def _start_synthflow_agents(self) -> None:
        """Start Synthflow's signalling in both regions, which the platform's trunks need to know
        first.
        """
        places: list[tuple[TransportName, int]] = [
            ("udp", PLAIN_PORT),
            ("tcp", PLAIN_PORT),
            ("tls", TLS_PORT),
        ]
        for trunk in self.deployment.trunks:
            # Other voice agents have other ports than the guides name.
            place = (trunk.transport, trunk.port)
            if trunk.ai == "synthflow" and place not in places:
                places.append(place)

        def listens(host: Host) -> list[Endpoint]:
            return [
                Endpoint(transport, self.context.block[host], port) for transport, port in places
            ]

        self._synthflow_ua = await self._agent(
            "synthflow",
            listens(Host.SYNTHFLOW),
            self._certificates.synthflow,
            self._synthflow_trace,
            filter=self._firewall.judge,
        )
        self._other_region_ua = await self._agent(
            "synthflow", listens(Host.OTHER_REGION), self._certificates.synthflow
        )

    async def _start_synthflow(self) -> None:
        """Start what answers at Synthflow's signalling, and its API where the file declares one."""
        trunks = Trunks(self.context)
        self.synthflow = Synthflow(
            self.context, self._media_engine, self._synthflow_ua, trunks, self.platform.line_of_call
        )
        agents: dict[Region, UserAgent] = {
            "default": self._synthflow_ua,
            "other": self._other_region_ua,
        }
        self.numbers = SipNumbers(self.context, agents, trunks)
        if self.deployment.synthflow is None:
            return
        self.context.deployment = with_models(self.deployment)
        token = secrets.token_urlsafe(24)
        store = RecordingStore()
        self._recordings = HttpServer(store.application(), self.context.block[Host.SYNTHFLOW_MEDIA])
        store.base = f"http://{await self._recordings.start()}/recordings"
        app = api(self.context, self.synthflow.records, self.numbers, store, token)
        self._api = HttpServer(
            app, self.context.block[Host.SYNTHFLOW], self._certificates.for_api()
        )
        where = await self._api.start()
        await self._apply_settings()
        keep_secret(token)
        synthflow = _with(
            self.deployment.synthflow,
            api_base=f"https://{where}/v2",
            api_token=SecretStr(token),
            ca_file=self._certificates.ca_file,
        )
        self.context.deployment = _with(self.deployment, synthflow=synthflow)

    async def _start_noise(self) -> None:
        ua = await self._agent("stranger", [Endpoint("udp", self.context.block[Host.NOISE])], None)
        self._noise = Noise(
            self.context, ua, self.carrier.ua.local("udp"), self._phones, self._stranger
        )
        self._noise.make(self.context.settings.noise)

    def _phones(self) -> Iterator[tuple[str, int]]:
        """UDP addresses of the harness's phones: stand-ins for the AI, and registered phones."""
        for trunk in self.deployment.trunks:
            if trunk.ai == "stand-in" and trunk.transport == "udp":
                yield self.context.block[Host.STAND_IN], trunk.port
        for registrar in (self.carrier.registrar, self.platform.registrar):
            for user in registrar.users():
                for binding in registrar.bindings(user):
                    if binding.flow.transport == "udp":
                        yield binding.flow.remote

    def _synthflow_trace(self, traced: Traced) -> None:
        self.synthflow.trace(traced)
        if self._trace is not None:
            self._trace(traced)

    def _platform_trace(self, traced: Traced) -> None:
        self._captures.message(traced)
        if self._trace is not None:
            self._trace(traced)

    async def stop(self) -> None:
        """Hang up what is up, and close everything."""
        if self._watching is not None:
            self._watching.cancel()
        self._hang_up()
        await self.numbers.stop()
        await self.close()

    async def end_calls(self) -> None:
        """Hang up what is up, and wait until it is over. Raises `TimeoutError` when it does not
        end.

        Calls may still arrive meanwhile, so all are hung up again until none is left.
        """
        async with asyncio.timeout(_ENDED_WITHIN_S):
            while self._is_busy():
                self._hang_up()
                self._synthflow_ua.hang_up()
                await asyncio.sleep(_LOOKED_EVERY_S)

    def _hang_up(self) -> None:
        for call in self._calls:
            call.hangup()

    def _is_busy(self) -> bool:
        in_use = any(termination.in_use for termination in self.platform.terminations.values())
        return bool(in_use or self._calls or self.synthflow.conversations)

    async def close(self) -> None:
        """Stop all user agents and servers, and release the addresses; harmless for what was never
        started.
        """
        await asyncio.gather(*(ua.stop() for ua in self._agents))
        servers = (self._api, self._recordings, self._campaigns)
        await asyncio.gather(*(server.stop() for server in servers if server is not None))
        self._captures.close()
        self.context.block.release()

    async def change_settings(self, now: Settings) -> None:
        """Use these settings from now on; calls that are up go on unchanged."""
        self.context.settings = now
        self._noise.make(now.noise)
        self._captures.make(now.captures)
        await self._apply_settings()

    async def _apply_settings(self) -> None:
        """Close or open the API's listener: a refused connection is no answer of the application's."""
        if self._api is None:
            return
        if self.context.settings.api.answers == "refused":
            await self._api.pause()
        else:
            await self._api.resume()

    # --- what is up ---------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What is up now."""
        terminations = self.platform.terminations
        return {
            "tenant": self.number,
            "deployment": self.deployment.name,
            "faults": self.context.faults.listed(),
            "acted": sorted(self.context.faults.acted),
            "calls": [call.plain() for call in self._calls],
            "ai_calls": len(self.synthflow.conversations),
            "landings": [asdict(landed) for landed in self.platform.landings],
            "relays": sum(call.relays for call in self._calls),
            "registrations": {
                "carrier": self.carrier.registrar.users(),
                "platform": self.platform.registrar.users(),
                "trunks": {
                    name: termination.registrar.users()
                    for name, termination in terminations.items()
                },
            },
            "trunks_in_use": {
                name: len(termination.in_use)
                for name, termination in terminations.items()
                if termination.in_use
            },
            "dialogs": sum(len(ua.calls()) for ua in self._agents),
        }


def mistakes_of(deployment: Deployment) -> list[str]:
    """A line for each setting that is wrong or without an owner, and each account that the
    simulation cannot serve.
    """
    try:
        parse(deployment.simulated)
    except DeploymentError as error:
        return str(error).splitlines()
    return list(_mistakes(deployment))


def _mistakes(deployment: Deployment) -> Iterator[str]:
    # Phones of one account have one registrar: the carrier's for telephones, else the platform's.
    transports = _kind_of(deployment).transports
    for name, account in deployment.accounts.items():
        numbered: list[str] = []
        others: list[str] = []
        for phone, phone_entry in deployment.phones.items():
            if phone_entry.account == name:
                (numbered if phone_entry.number else others).append(phone)
        if not numbered and account.transport not in transports:
            alone = f"which alone the simulated platform of {deployment.integration} speaks"
            yield f"accounts.{name}.transport: {account.transport!r}; allowed: {', '.join(transports)}, {alone}"
        if numbered and others:
            allowed = "an account for telephones, which is at the carrier, and one for those who have a user alone"
            what = f"{numbered[0]} has a number, {others[0]} none; allowed in a simulated deployment: {allowed}"
            yield f"accounts.{name}: {what}, which is at the platform"
    for table in ("assistants", "groups", "lines"):
        settings = deployment.simulated.get(table)
        if not isinstance(settings, dict):
            continue
        known = getattr(deployment, table)
        for name in settings:
            if name != "*" and name not in known:
                what = f"the file has none of that name{nearest(name, known)}; allowed: {', '.join(known)}"
                yield f"simulated.{table}.{name}: {what}, or * for all others"


def _kind_of(deployment: Deployment) -> type[Platform]:
    # A customer's own integration is simulated as an SBC.
    return _PLATFORMS.get(deployment.integration, GenericSbc)


def _is_at_carrier(deployment: Deployment, account: str) -> bool:
    """Whether the phones of that account are telephones: the others have theirs with the platform."""
    return any(phone.number for phone in deployment.phones.values() if phone.account == account)


def _captured(deployment: Deployment, block: Block) -> dict[Point, list[str]]:
    """The addresses on the far side of each point of the platform that can be captured."""
    ai = (Host.SYNTHFLOW, Host.SYNTHFLOW_MEDIA, Host.OTHER_REGION, Host.STAND_IN, Host.STRANGER)
    callers: list[int] = [Host.CARRIER, Host.NOISE]
    for index, account in enumerate(deployment.accounts):
        if _is_at_carrier(deployment, account):
            callers.append(Host.FIRST_PHONE + index)
    return {
        "trunk": [block[host] for host in ai],
        "carrier": [block[host] for host in callers],
    }


def _transport_of_agents(deployment: Deployment) -> TransportName | None:
    """Over which the first agent with an account at the platform signals; None where there is none."""
    for group in deployment.groups.values():
        for name in group.agents:
            agent = deployment.phones[name]
            if agent.number is None:
                return deployment.accounts[agent.account].transport
    return None


def _listens(address: str, transports: Sequence[TransportName]) -> list[Endpoint]:
    """UDP and TCP on one port (RFC 3261 section 18.2.1), TLS on the next, as 5060 and 5061 are.

    The kernel chooses the port of TCP; where UDP's of that number is taken, it chooses again.
    """
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            socket.socket(type=socket.SOCK_DGRAM) as datagram,
        ):
            stream.bind((address, 0))
            port: int = stream.getsockname()[1]
            try:
                datagram.bind((address, port))
            except OSError:
                continue
        ports = {"udp": port, "tcp": port, "tls": port + 1}
        return [Endpoint(transport, address, ports[transport]) for transport in transports]
