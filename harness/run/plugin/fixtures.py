"""The fixtures of scenarios: the case, and the people and systems in it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest

from harness.case.recorder import CaseRecorder
from harness.case.verdict import ExpectationError, NotObservableError, Verdict
from harness.deployment import Deployment, Handover, Timings
from harness.deployment.limits import Gate
from harness.integrations.matrix import Case, why_not_now
from harness.phone.pool import PhonePool
from harness.run.plugin import starvation
from harness.run.plugin.cases import attempt_of
from harness.run.plugin.parallel import WATCH
from harness.run.plugin.run import Run, run_of
from harness.scenario.ai import Ai
from harness.scenario.cast import Cast
from harness.scenario.conclusion import conclude, require_promised_findings
from harness.scenario.context import CaseContext, Line
from harness.scenario.ends import End
from harness.scenario.expect import Expect, ExpectGroup
from harness.scenario.people import AssistantOf, Caller, Group
from harness.witness.synthflow import Apis

_CONTEXT = pytest.StashKey[CaseContext]()
_POOL = pytest.StashKey[PhonePool]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """The first phone process starts beside the collection and preflight."""
    config = session.config
    if (run := run_of(config)) and WATCH in config.stash:
        pool = PhonePool(run.control / f"phones-{run.slot}", fork_server=run.phone_fork_server)
        config.add_cleanup(pool.close)
        pool.prepare()
        config.stash[_POOL] = pool


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Close the phones while their worlds are there. An interrupted case, whose fixtures end only
    in this hook, has hung up by then.
    """
    if (pool := session.config.stash.get(_POOL, None)) is not None:
        pool.close()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """After the scenario's last line: the findings on the whole case."""
    context = pyfuncitem.stash.get(_CONTEXT, None)
    if context is None:
        return (yield)
    with _outlasting(context):
        try:
            result = yield
        except ExpectationError as error:
            context.evidence.ended_by(error)
            conclude(context)
            raise
        conclude(context)
        require_promised_findings(context)
        return result


@contextmanager
def _outlasting(context: CaseContext) -> Iterator[None]:
    """Wait for what would disturb the next case, however this one ends, unless the run was
    interrupted.
    """
    try:
        yield
    except Exception:
        _outlast(context)
        raise
    _outlast(context)


def _outlast(context: CaseContext) -> None:
    if context.outlasted:
        context.phones.hang_up()
        for wait in context.outlasted:
            wait()


@pytest.fixture(scope="session")
def pool(pytestconfig: pytest.Config) -> PhonePool:
    """The softphones of this process, kept from case to case.

    They outlast this fixture: with the session's last case its fixtures end, and the case may be
    tried again.
    """
    pool, watch = pytestconfig.stash[_POOL], pytestconfig.stash[WATCH]
    starvation.monitor().watch(lambda: pool.pids, lambda: watch.worlds)
    return pool


@pytest.fixture(scope="session")
def apis() -> Iterator[Apis]:
    """Synthflow's API as each deployment reaches it."""
    with Apis() as apis:
        yield apis


@pytest.fixture
def timings(run: Run, replica: Deployment) -> Timings:
    """The timings of this run."""
    return replica.timings_by(run.timings)


@pytest.fixture
def cast(
    request: pytest.FixtureRequest,
    case: Case,
    replica: Deployment,
    run: Run,
    timings: Timings,
    recorder: CaseRecorder,
    gate: Gate,
    case_marks: Iterator[int],
) -> Iterator[Cast]:
    """Who takes part. Every group's agents are at their phones, so that a call in the wrong place
    is seen.
    """
    # as parameters, these fixtures of the whole session would keep each case's requests until it
    # ends (FixtureDef.execute)
    pool: PhonePool = request.getfixturevalue("pool")
    apis: Apis = request.getfixturevalue("apis")
    attempt = attempt_of(request)
    others = attempt.leased.concurrent
    reached = replica.reached_over(case.trunk, case.line)
    context = CaseContext(
        case, reached, timings, recorder, pool, case_marks, apis(reached), gate, others
    )
    context.phones.keeps_registrations = len(run.replicas[case.deployment]) >= run.slots
    watch = request.config.stash[WATCH]
    starvation.observe(context.evidence, pool, watch.listener(case.deployment))
    context.evidence.world_fault = partial(watch.fault, case.deployment, context.began)
    request.node.stash[_CONTEXT] = context
    attempt.evidence = context.evidence
    # without others, no case ran beside it
    attempt.is_guess = lambda: was_guessed(context) and bool(others.others)
    cast = Cast(context)
    try:
        with context.evidence.step("phones are ready"):
            cast.all_groups()
            cast.ai.take_place()
        yield cast
    except ExpectationError as error:
        context.evidence.ended_by(error)
        raise
    finally:
        del request.node.stash[_CONTEXT]  # pytest keeps every item until the session ends
        attempt.guessed = attempt.is_guess()
        attempt.is_guess = bool  # which lets go of the context
        cast.close()


def was_guessed(context: CaseContext) -> bool:
    """Whether a finding may rest on a call of a case beside this one.

    A guess at a phone does not matter to a case that passed: an agent who took the call heard its
    caller's mark, and a watched phone got no call.
    """
    return context.guessed or (
        context.phones.guessed and context.evidence.conclusion.verdict is not Verdict.PASSED
    )


@pytest.fixture
def context(cast: Cast) -> CaseContext:
    """The case: its deployment, its evidence, its phones and calls."""
    return cast.context


@pytest.fixture
def expect(cast: Cast) -> Callable[[End | Group], Expect | ExpectGroup]:
    """``expect(call).two_way_audio_with(other)`` and the like."""
    return cast.expect


@pytest.fixture
def ai(cast: Cast) -> Ai:
    """The AI: Synthflow, or a harness phone."""
    return cast.ai


@pytest.fixture
def caller(cast: Cast) -> Caller:
    """An outside caller."""
    return cast.caller()


@pytest.fixture
def line(cast: Cast, case: Case) -> Line:
    """The number the case calls."""
    assert case.line is not None, f"{case.row.id} calls no number"
    if why := why_not_now(case, cast.context.deployment, datetime.now(UTC)):
        expected = "the number is called at its time"
        raise NotObservableError(cast.context.evidence.unseen("case", case.line, expected, why))
    return cast.line(case.line)


@pytest.fixture
def assistant(cast: Cast, line: Line) -> AssistantOf:
    """The AI assistant behind the line."""
    return cast.assistant(line)


@pytest.fixture
def handover(context: CaseContext) -> Handover:
    """How the line's assistant hands over in this case."""
    return context.handover


@pytest.fixture
def target(cast: Cast, handover: Handover) -> Group:
    """The group that the handover leads to."""
    assert handover.transfer_to is not None, "the handover has no group"
    return cast.group(handover.transfer_to)


@pytest.fixture
def fallback(cast: Cast, line: Line) -> Group:
    """The group the line's calls fall back to."""
    assert line.entry.fallback is not None, f"{line.name} has no fallback"
    return cast.group(line.entry.fallback)


@pytest.fixture
def people(cast: Cast, line: Line) -> Group:
    """Who takes the line's calls without the AI: people or a machine."""
    return cast.people(line)


@pytest.fixture
def agents(cast: Cast) -> Group:
    """A group that has agents, one that can be called where there is one."""
    return cast.group(cast.context.deployment.group_called or cast.all_groups()[0].name)
