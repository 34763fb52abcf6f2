"""SIP programs nobody here wrote, on addresses of this process's own, and the harness's phones
among them.

Each worker of a run has its own: nothing is shared, everything is waited for by what it says or
answers, and ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.phone import PhoneConfig
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.world.addresses import Block, take_block
from harness.world.pki import Authority, Certificate
from tests.interop import platform as platforms
from tests.interop.baresip_ai import BaresipAi
from tests.interop.encounter import DID, encounter, with_sipp
from tests.interop.meeting import Meet, Meeting
from tests.interop.platform import (
    AI,
    AREAS,
    BARESIP,
    KAMAILIO,
    PHONES,
    RTPENGINE,
    SIPP,
    TOKEN,
    Platform,
)
from tests.interop.sipp import Sipp
from tests.process.world.conftest import RunningWorld, running
from tools.interop.baresip import Baresip
from tools.interop.kamailio import ports
from tools.interop.rtpengine import Rtpengine


@pytest.fixture(scope="session")
def block() -> Iterator[Block]:
    """Addresses 127.x.y.1 … 127.x.y.253, this process's alone."""
    block = take_block()
    yield block
    block.release()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where programs that live for the session leave their files."""
    return tmp_path_factory.mktemp("interop")


@pytest.fixture(scope="session")
def authority(home: Path) -> Authority:
    return Authority(home / "certificates")


@pytest.fixture(scope="session")
def ai_certificate(authority: Authority, block: Block) -> Certificate:
    return authority.issue("ai", [block[number] for number in AI.values()])


@pytest.fixture(scope="session")
def kamailio_ports(block: Block) -> tuple[int, int]:
    return ports(block[KAMAILIO])


@pytest.fixture(scope="session")
def baresip_ai(
    home: Path,
    block: Block,
    authority: Authority,
    ai_certificate: Certificate,
    kamailio_ports: tuple[int, int],
) -> Iterator[BaresipAi]:
    """baresip as the AI of the deployment ``kamailio-synthflow``."""
    area = AREAS["synthflow"]
    with BaresipAi(
        home / "baresip-ai",
        block[AI["synthflow"]],
        [f"+1{area}55501{last}" for last in range(60, 64)],
        mark=240,
        certificate=ai_certificate,
        ca_file=authority.ca_file,
        escalate=f"sip:+1{area}5550151@{block[KAMAILIO]}:{kamailio_ports[0]}",
        token=TOKEN,
    ) as program:
        yield program


@pytest.fixture(scope="session")
def rtpengine(home: Path, block: Block) -> Iterator[Rtpengine]:
    with Rtpengine(home / "rtpengine", block[RTPENGINE]) as program:
        yield program


@pytest.fixture(scope="session")
def platform(
    home: Path,
    block: Block,
    authority: Authority,
    ai_certificate: Certificate,
    kamailio_ports: tuple[int, int],
    baresip_ai: BaresipAi,
    rtpengine: Rtpengine,
) -> Iterator[Platform]:
    """Kamailio, and the deployment files that describe it."""
    with platforms.running(
        home,
        block,
        authority,
        ai=ai_certificate,
        ports=kamailio_ports,
        api_base=baresip_ai.api_base,
        rtpengine=rtpengine.control,
        spoilt={line: line for line in ("wrong-port", "relayed", "decrypted")},
    ) as platform:
        yield platform


@pytest.fixture(scope="session")
def pool(home: Path) -> Iterator[PhonePool]:
    with PhonePool(home / "phones") as pool:
        yield pool


@pytest.fixture(scope="session")
def marks() -> Iterator[int]:
    """Marks for the harness's legs."""
    return itertools.cycle(range(200))


Lease = Callable[..., Phone]


@contextmanager
def _leasing(
    pool: PhonePool, marks: Iterator[int], block: Block, directory: Path
) -> Iterator[Lease]:
    phones: list[Phone] = []

    def take(name: str, **fields: Any) -> Phone:
        host = block[PHONES + 40 + next(_phones) % 60]
        settings: dict[str, Any] = {
            "user": f"phone-{len(phones)}",
            "domain": "interop.example",
            "bind_address": host,
        }
        config = PhoneConfig(name=name, **(settings | fields))
        phones.append(pool.lease(config, sink=lambda event: None, marks=marks, directory=directory))
        return phones[-1]

    yield take
    for phone in phones:
        phone.hang_up()
    for phone in phones:
        phone.release()


@pytest.fixture
def lease(pool: PhonePool, marks: Iterator[int], block: Block, tmp_path: Path) -> Iterator[Lease]:
    """Phones for one test: ``lease(name, **fields of PhoneConfig)``, each on an address of its own
    unless told otherwise.
    """
    with _leasing(pool, marks, block, tmp_path / "phones") as take:
        yield take


@pytest.fixture(scope="module")
def module_lease(
    pool: PhonePool, marks: Iterator[int], block: Block, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lease]:
    """The same, for all tests of a file."""
    with _leasing(pool, marks, block, tmp_path_factory.mktemp("phones")) as take:
        yield take


@pytest.fixture
def fresh_baresip(
    tmp_path: Path, block: Block, authority: Authority
) -> Iterator[Callable[..., Baresip]]:
    """``fresh_baresip(account, mark)``: a baresip of this test's own."""
    with ExitStack() as stack:

        def start(
            account: str, mark: int, certificate: Certificate | None = None, host: str | None = None
        ) -> Baresip:
            number = next(_baresips)
            directory = tmp_path / f"baresip-{number}"
            directory.mkdir()
            where = host or block[BARESIP + number % 19]
            shown = certificate or authority.issue(f"baresip-{number}", [where])
            joined = directory / "certificate-and-key.pem"
            joined.write_text(shown.certificate.read_text() + shown.key.read_text())
            made = Baresip(
                directory, where, account, mark=mark, certificate=joined, ca_file=authority.ca_file
            )
            return stack.enter_context(made)

        yield start


@pytest.fixture
def meet(tmp_path: Path, block: Block, pool: PhonePool, marks: Iterator[int]) -> Meet:
    """``with meet(steps, transport) as meeting``: SIPp plays the steps to a caller who has dialled."""

    @contextmanager
    def meet(steps: Sequence[str], transport: str = "udp", **caller: object) -> Iterator[Meeting]:
        number = next(_meetings) % 30
        with (
            Sipp(tmp_path / "sipp", block[SIPP + number], steps, transport=transport) as sipp,
            encounter(
                tmp_path,
                pool,
                marks,
                with_sipp(tmp_path, block[PHONES + number], (sipp.host, sipp.port), transport),
            ) as met,
        ):
            try:
                yield Meeting(met, sipp, met.caller(**caller).dial(DID))
            except BaseException as error:
                error.add_note(
                    f"SIPp, exit code {sipp.process.poll()}:\n{sipp.errors}\n{sipp.messages}"
                )
                raise

    return meet


_phones, _baresips, _meetings = itertools.count(), itertools.count(), itertools.count()


@contextmanager
def _world(deployment: str, directory: Path) -> Iterator[RunningWorld]:
    with running(deployment, directory, "--trace", "--tenants", "1") as world:
        yield world
        world.wait_until_quiet()
        assert world.end() == 0, (directory / "world.log").read_text()


@pytest.fixture(scope="session")
def talkdesk(home: Path) -> Iterator[RunningWorld]:
    """The simulated world; its audit is clean at the end."""
    with _world("simulated-talkdesk", home / "talkdesk") as world:
        yield world


@pytest.fixture(scope="session")
def gladly(home: Path) -> Iterator[RunningWorld]:
    with _world("simulated-gladly", home / "gladly") as world:
        yield world
