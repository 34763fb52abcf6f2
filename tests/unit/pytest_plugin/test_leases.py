"""Concurrent cases of one real deployment: what each leases, and their order."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from harness.deployment import CALLS_A_PHONE, Deployment, Limits
from harness.integrations import load, matrix
from harness.integrations.matrix import Case
from harness.run.plugin.leases import LeaseTable, in_turns, landing_agents, leased, needs_of
from harness.run.plugin.run import Run
from harness.scenario.case_phones import HEADER_NUMBER
from harness.support.resources import EXAMPLES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    """Like a real deployment, with the stand-in's bind."""
    found = load(EXAMPLES / "simulated-talkdesk.toml")
    place = found.stand_in.model_copy(update={"bind": "192.0.2.80"})
    return found.model_copy(update={"kind": "stand-in", "name": "acme", "stand_in": place})


def case_of(deployment: Deployment, row: str, ai: str = "synthflow") -> Case:
    return next(c for c in matrix.cases([deployment]) if c.row.id == row and c.axes["ai"] == ai)


@pytest.fixture
def table(tmp_path: Path) -> LeaseTable:
    return LeaseTable(tmp_path / "table", ["acme", "other"])


def try_all(
    table: LeaseTable, stack: ExitStack, deployment: Deployment, *cases: Case
) -> list[list[str]]:
    """Try to lease all cases in this order; returns the callers of those that can run."""
    found = []
    for case in cases:
        held = table._try(needs_of(case, deployment), deployment, alone=False)
        if held is not None:
            stack.enter_context(held[0])
            found.append(held[1])
    return found


def beside(table: LeaseTable, deployment: Deployment, *cases: Case) -> int:
    """How many of these cases can run at once, started in this order."""
    with ExitStack() as stack:
        return len(try_all(table, stack, deployment, *cases))


def run_of(deployment: Deployment, directory: Path) -> Run:
    run = Run(directory, (deployment,), matrix.Selection(), "quick", workers=4)
    run.control.mkdir()
    run.replicas, run.switchboard = {"acme": [deployment]}, "/nowhere"
    return run


# -- which cases run beside each other


def test_concurrent_cases_have_different_callers(deployment: Deployment, table: LeaseTable) -> None:
    inbound = [c for c in matrix.cases([deployment]) if c.row.id == "TD-INBOUND"]
    by_trunk = {case.trunk: case for case in inbound}.values()
    with ExitStack() as stack:
        callers = try_all(table, stack, deployment, *by_trunk)
    assert sorted(callers) == [[name] for name in sorted(deployment.callers)], (
        "as many as there are callers"
    )


@pytest.mark.parametrize(
    ("rows", "ai"),
    [
        (("TD-CAPACITY", "TD-INBOUND"), "synthflow"),
        (("TD-FALLBACK-DOWN", "TD-INBOUND"), "stand-in"),
    ],
)
def test_exclusive_needs_keep_other_cases_out(
    deployment: Deployment, table: LeaseTable, rows: tuple[str, ...], ai: str
) -> None:
    """A case that fills the trunk takes it and every caller; one that changes the stand-in's phone
    takes its address.
    """
    first, second = (case_of(deployment, row, ai) for row in rows)
    assert first.trunk == second.trunk
    assert beside(table, deployment, first, second) == beside(table, deployment, second, first) == 1


def test_cases_landing_with_the_same_agents_take_turns(
    deployment: Deployment, table: LeaseTable
) -> None:
    blind, warm = case_of(deployment, "TD-TRANSFER-BLIND"), case_of(deployment, "TD-TRANSFER-WARM")
    falls_back = case_of(deployment, "TD-FALLBACK-REFUSED")
    assert landing_agents(blind, deployment) == landing_agents(warm, deployment) == {"billing"}
    assert landing_agents(falls_back, deployment) == {"reception"}
    apart = [
        replace(case, trunk=f"{transport}-ip")
        for case, transport in ((warm, "tcp"), (falls_back, "tls"))
    ]
    assert beside(table, deployment, blind, *apart) == 2, "blind and fallback, not warm"


def test_stand_in_address_is_shared_within_one_deployment(
    deployment: Deployment, table: LeaseTable
) -> None:
    accounts = {
        n: a.model_copy(update={"domain": f"other.{a.domain}"})
        for n, a in deployment.accounts.items()
    }
    other = deployment.model_copy(update={"name": "other", "accounts": accounts})
    elsewhere = other.model_copy(
        update={"stand_in": other.stand_in.model_copy(update={"bind": "192.0.2.81"})}
    )
    mine, theirs = (
        case_of(deployment, "TD-INBOUND", "stand-in"),
        case_of(deployment, "HANGUP-CALLER", "stand-in"),
    )
    with ExitStack() as stack:
        assert len(try_all(table, stack, deployment, mine, theirs)) == 2
        assert table._try(needs_of(mine, other), other, alone=False) is None
        assert table._try(needs_of(mine, elsewhere), elsewhere, alone=False) is not None


@pytest.mark.parametrize(
    ("limits", "at_once"),
    [
        (Limits(concurrent_calls=2, calls_per_second=200.0), 2),
        (Limits(concurrent_calls=50, calls_per_second=0.5), 2),
        (Limits(concurrent_calls=50, calls_per_second=200.0), 4),
    ],
)
def test_limits_bound_concurrent_cases(
    deployment: Deployment, table: LeaseTable, limits: Limits, at_once: int
) -> None:
    limited = deployment.model_copy(update={"limits": limits})
    inbound = [c for c in matrix.cases([limited]) if c.row.id == "TD-INBOUND"]
    assert beside(table, limited, *inbound) == at_once


def test_stand_in_gets_no_more_calls_than_a_phone_takes(
    deployment: Deployment, table: LeaseTable
) -> None:
    """A trunk may carry more, but the harness phone would refuse the call and the platform be
    blamed.
    """
    wide = [trunk.model_copy(update={"max_concurrent_calls": 50}) for trunk in deployment.trunks]
    one = deployment.phones["caller"]
    more = {
        f"caller-{n}": one.model_copy(update={"number": f"+1415555016{n}"}) for n in range(5, 9)
    }
    wider = deployment.model_copy(update={"trunks": wide, "phones": deployment.phones | more})
    synthflow, stand_in = case_of(wider, "TD-INBOUND"), case_of(wider, "TD-INBOUND", "stand-in")
    assert beside(table, wider, *[stand_in] * 8) == CALLS_A_PHONE
    assert beside(table, wider, *[synthflow] * 8) == 8


def test_case_that_must_run_alone_waits_for_the_others(
    deployment: Deployment, table: LeaseTable
) -> None:
    inbound, hangs_up = case_of(deployment, "TD-INBOUND"), case_of(deployment, "HANGUP-CALLER")
    alone, go_on = threading.Event(), threading.Event()

    def run_alone() -> None:
        with table.taken(needs_of(hangs_up, deployment), deployment, alone=True):
            alone.set()
            go_on.wait(20)

    with ExitStack() as stack:
        assert try_all(table, stack, deployment, inbound)
        waiting = threading.Thread(target=run_alone)
        waiting.start()
        while table._is_free("wish of acme"):
            pass
        assert beside(table, deployment, inbound) == 0, "a case waits to be alone"
        assert not alone.is_set()
    assert alone.wait(20)
    assert beside(table, deployment, inbound) == 0
    go_on.set()
    waiting.join()


# -- what a case has


def test_phones_with_one_user_count_as_one_caller(deployment: Deployment, tmp_path: Path) -> None:
    """From shows the user, so both phones show one number (RFC 3261 section 8.1.1.3)."""
    first, second, *others = deployment.callers
    trunk = {"account": deployment.phones[first].account, "user": "acme-trunk"}
    phones = {
        n: p.model_copy(update=trunk if n in (first, second) else {})
        for n, p in deployment.phones.items()
    }
    deployment = deployment.model_copy(update={"phones": phones})
    run, inbound = run_of(deployment, tmp_path), case_of(deployment, "TD-INBOUND")
    with leased(run, inbound) as one, leased(run, inbound) as other:
        assert one.replica.callers == [first]
        assert other.replica.callers == others[:1], "and not the second of the user that is taken"
    only = deployment.model_copy(
        update={"phones": {n: p for n, p in phones.items() if n not in others}}
    )
    assert "CONCURRENT" not in {case.row.id for case in matrix.cases([only])}, "two are needed"


def test_leased_deployment_and_numbers_of_other_cases(
    deployment: Deployment, tmp_path: Path
) -> None:
    run = run_of(deployment, tmp_path)
    first, *others = deployment.callers
    with leased(run, case_of(deployment, "TD-INBOUND")) as mine:
        assert mine.replica.callers == [first]
        assert set(mine.replica.phones) > {"billing", "support", "reception"}
        assert mine.concurrent.numbers == (deployment.phones[first].number,)
        assert mine.concurrent.others == {
            deployment.phones[name].number for name in (*others, deployment.customer)
        }
    with leased(run, case_of(deployment, "TD-TRANSFER-BLIND"), alone=True) as mine:
        assert mine.concurrent.lands_at == {"billing"}
        assert mine.concurrent.others == set(), "no case is beside it"
    run.workers = 1
    with leased(run, case_of(deployment, "TD-INBOUND", "stand-in")) as mine:
        assert (mine.concurrent.switchboard, mine.concurrent.others) == (
            Path("/nowhere"),
            frozenset(),
        )


def test_campaign_keeps_the_planned_customer(
    deployment: Deployment, table: LeaseTable, tmp_path: Path
) -> None:
    """The campaign calls that phone, whichever caller is free."""
    assert deployment.campaign is not None
    unnamed = deployment.campaign.model_copy(update={"customer": None})
    deployment = deployment.model_copy(update={"campaign": unnamed})
    campaign, inbound = (
        case_of(deployment, "TD-OUTBOUND-CAMPAIGN"),
        case_of(deployment, "TD-INBOUND"),
    )
    (planned,) = (
        call.number for call in matrix.calls_of(campaign, deployment) if call.by == "the platform"
    )
    with ExitStack() as stack:
        first, second, *_ = deployment.callers
        assert try_all(table, stack, deployment, campaign, inbound) == [[first], [second]]
    assert beside(table, deployment, inbound, campaign) == 1
    run = run_of(deployment, tmp_path)
    with leased(run, campaign) as called, leased(run, inbound) as other:
        assert called.replica.phones[called.replica.customer].number == planned
        assert called.concurrent.numbers == (planned,)
        assert planned in other.concurrent.others
        assert set(other.concurrent.numbers) <= called.concurrent.others


@pytest.mark.parametrize(
    ("shows", "seen"),
    [
        ({"transfer_caller_id": "original"}, None),
        ({"transfer_caller_id": "agent"}, "+12065550120"),
        ({"transfer_caller_id": "fixed", "fixed_caller_id": "+12065550144"}, "+12065550144"),
        ({"transfer_caller_id": "header", "caller_id_header": "X-Show-Number"}, HEADER_NUMBER),
    ],
)
def test_warm_transfer_number_belongs_to_the_landing_case(
    deployment: Deployment, tmp_path: Path, shows: dict[str, str], seen: str | None
) -> None:
    """Otherwise each such call would be a guess, and all concurrent cases would run again."""
    none_yet = {"did": "+12065550120", "fixed_caller_id": None, "caller_id_header": None}
    assistants = {
        name: type(assistant).model_validate({**assistant.model_dump(), **none_yet, **shows})
        if assistant.transfer == "warm"
        else assistant
        for name, assistant in deployment.assistants.items()
    }
    deployment = deployment.model_copy(update={"assistants": assistants})
    with leased(run_of(deployment, tmp_path), case_of(deployment, "TD-TRANSFER-WARM")) as mine:
        lands, watches = (mine.concurrent.sharing(lands, "US") for lands in (True, False))
    assert lands is not None
    assert watches is not None
    assert (lands.shows, watches.shows) == (seen, None)
    assert lands.numbers == watches.numbers == mine.concurrent.numbers


# -- the order in which they begin


def test_cases_that_take_turns_are_spread(deployment: Deployment) -> None:
    """With four workers no runnable case stands behind one that waits for an agent."""
    cases = [c for c in matrix.cases([deployment]) if c.row.moment in ("transfer", "inbound")]
    order = in_turns([(case, deployment) for case in cases], 4)
    assert sorted(order) == list(range(len(cases)))
    lands = [bool(landing_agents(cases[i], deployment)) for i in order]
    first = lands[: 2 * sum(lands)]
    assert all(sum(first[i : i + 3]) <= 2 for i in range(len(first) - 2)), (
        "an agent's cases are spread"
    )
    assert lands[0], "what is asked for longest begins first"


#: Prints the needs of cases of the large customer, and the order they give.
PROGRAM = """
from pathlib import Path
from harness.integrations import matrix
from harness.deployment.file import load
from harness.run.plugin.leases import _wants, in_turns, needs_of
large = load(Path("scenarios/deployments/live-large.toml"), {}, secrets=False)
cases = matrix.cases([large])[:9]
print([list(_wants(needs_of(case, large), large)) for case in cases], in_turns([(case, large) for case in cases], 8))
"""


@pytest.mark.nightly
def test_order_does_not_depend_on_hashes() -> None:
    def order(hash_seed: str) -> str:
        environment = {
            "PYTHONHASHSEED": hash_seed,
            "HARNESS_AS_OF": "2026-03-04T15:00+00:00",
            "PATH": "/usr/bin",
        }
        command = [sys.executable, "-c", PROGRAM]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert order("1") == order("2")
