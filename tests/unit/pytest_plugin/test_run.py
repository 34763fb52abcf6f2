from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.integrations import load
from harness.integrations.matrix import Selection
from harness.run.plugin.live_line import time_left
from harness.run.plugin.run import Run, case_id
from harness.support.resources import EXAMPLES


def test_run_survives_the_pipe_to_a_worker() -> None:
    deployments = (
        load(EXAMPLES / "simulated-talkdesk.toml", {"HARNESS_SITE": "berlin"}),
        load(EXAMPLES / "simulated-gladly.toml"),
    )
    run = Run(
        directory=Path("/tmp/run"),
        deployments=deployments,
        selection=Selection(transports=("tls",)),
        timings="documented",
        faults=("no-g711@inbound",),
        workers=4,
        replicas={deployment.name: [deployment] * 2 for deployment in deployments},
    )
    again = Run.from_json(run.to_json())
    assert {name: list(replicas) for name, replicas in again.replicas.items()} == run.replicas
    assert dataclasses.replace(again, replicas=run.replicas) == run
    assert again.cases == run.cases
    assert {case.axes["transport"] for case in again.cases} == {"tls"}
    assert {again.plain(case)["site"] for case in again.cases} == {"berlin", "local"}


def test_case_id_is_found_in_the_node_id() -> None:
    assert (
        case_id("scenarios/test_a.py::test_b[TD-INBOUND[lab:synthflow-udp-ip]]")
        == "TD-INBOUND[lab:synthflow-udp-ip]"
    )
    assert case_id("scenarios/test_a.py::test_b[A[lab:udp]]@group") == "A[lab:udp]", (
        "as --dist loadgroup has it"
    )
    assert case_id("scenarios/test_a.py::test_b") == "scenarios/test_a.py::test_b"


def test_time_left_is_of_the_pace_so_far() -> None:
    assert time_left(10.0, 5.0, 20.0) == " · about 40 s left"
    assert time_left(60.0, 10.0, 40.0) == " · about 4 min left"
    assert time_left(10.0, 5.0, 0.0) == ""
