from harness.case.recorder import CaseRecorder
from harness.scenario import scenario


@scenario("OWN-BREAKS")
def test_breaks(recorder: CaseRecorder) -> None:
    with recorder.step("a step that breaks"):
        raise RuntimeError("a mistake in the scenario")
