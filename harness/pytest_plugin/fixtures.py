"""What a scenario may ask for by name: the stage of its case, and the people and systems on it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest

from harness.deployment import Deployment, Timings
from harness.far_end.synthflow import SynthflowApi
from harness.limits import CallGate
from harness.matrix import Case
from harness.phone.pool import PhonePool
from harness.pytest_plugin.pulse import of_this_process
from harness.pytest_plugin.run import Run
from harness.report.recorder import CaseRecorder
from harness.scenario.ai_place import AiPlace
from harness.scenario.ends import End
from harness.scenario.expect import Expect
from harness.scenario.people import AssistantOf, Caller, Group, Line
from harness.scenario.stage import Stage
from harness.verdict import ExpectationError, Verdict

_STAGE = pytest.StashKey[Stage]()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """When a scenario has said its part: the findings that look at the whole case, and then the worst of all is raised."""
    try:
        result = yield
    except ExpectationError as error:
        stage = pyfuncitem.stash.get(_STAGE, None)
        if stage is not None:
            if error.finding not in stage.findings:
                stage.add(error.finding)
            stage.conclude()
            if error.finding.verdict is Verdict.BROKEN:
                stage.raise_worst()  # what broke hides nothing that failed
        raise
    stage = pyfuncitem.stash.get(_STAGE, None)
    if stage is not None:
        stage.conclude()
        stage.own_up()
        stage.raise_worst()
    return result


@pytest.fixture(scope="session")
def pool(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhonePool]:
    """The softphones of this process, kept from case to case."""
    with PhonePool(tmp_path_factory.mktemp("phones")) as pool:
        of_this_process().watch(lambda: pool.pids)
        yield pool


@pytest.fixture(scope="session")
def apis() -> Iterator[Callable[[Deployment], SynthflowApi | None]]:
    """Synthflow's API as each deployment reaches it; clients are kept."""
    kept: dict[tuple[str, str], SynthflowApi] = {}  # by deployment too: each may have a token of its own

    def client(deployment: Deployment) -> SynthflowApi | None:
        synthflow = deployment.synthflow
        if synthflow is None or synthflow.api_base is None:
            return None
        key = (deployment.name, synthflow.api_base)
        if key not in kept:
            token = synthflow.api_token.get_secret_value() if synthflow.api_token else ""
            kept[key] = SynthflowApi(
                synthflow.api_base, token, synthflow.ca_file, synthflow.timeout_s, deployment.region
            )
        return kept[key]

    yield client
    for api in kept.values():
        api.close()


@pytest.fixture
def timings(run: Run, replica: Deployment) -> Timings:
    """The timings of this run."""
    return replica.timings.quick if run.timings == "quick" else replica.timings.documented


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    case: Case,
    replica: Deployment,
    run: Run,
    timings: Timings,
    recorder: CaseRecorder,
    pool: PhonePool,
    gate: CallGate,
    case_marks: Iterator[int],
    apis: Callable[[Deployment], SynthflowApi | None],
) -> Iterator[Stage]:
    """The stage of the case. Every group's agents are at their phones, so that a call in the wrong place is seen."""
    stage = Stage(case, replica, timings, recorder, pool, case_marks, apis(replica), gate)
    stage.keeps_registrations = len(run.replicas[case.deployment]) >= run.slots
    stage.starved = of_this_process().starved
    request.node.stash[_STAGE] = stage
    try:
        with stage.step("phones are ready"):
            stage.all_groups()
            stage.ai.take_seat()
        yield stage
    finally:
        stage.close()


@pytest.fixture
def expect(stage: Stage) -> Callable[[End | Group], Expect]:
    """``expect(call).two_way_audio_with(other)`` and the like."""
    return stage.expect


@pytest.fixture
def ai(stage: Stage) -> AiPlace:
    """The AI's place: Synthflow, or a phone of ours."""
    return stage.ai


@pytest.fixture
def caller(stage: Stage) -> Caller:
    """An outside caller."""
    return stage.caller()


@pytest.fixture
def line(stage: Stage, case: Case) -> Line:
    """The line the row is about."""
    assert case.row.line is not None, f"{case.row.id} is about no line"
    return stage.line(case.row.line)


@pytest.fixture
def assistant(stage: Stage, line: Line) -> AssistantOf:
    """The AI assistant behind the line."""
    return stage.assistant(line)


@pytest.fixture
def billing(stage: Stage) -> Group:
    """The billing agents."""
    return stage.group("billing")


@pytest.fixture
def support(stage: Stage) -> Group:
    """The support agents."""
    return stage.group("support")


@pytest.fixture
def queue(stage: Stage) -> Group:
    """The agent queue."""
    return stage.group("queue")


@pytest.fixture
def reception(stage: Stage) -> Group:
    """The group calls fall back to."""
    return stage.group("reception")
