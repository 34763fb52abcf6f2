"""A night's figures for Prometheus: an OpenMetrics file, and a Pushgateway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.case.verdict import Verdict
from harness.errors import BrokenError, MistakeError, writing
from harness.report.history import Night, Run
from harness.report.standing import FlakeRate
from harness.support.files import whole_file

JOB = "call_verification"
#: Of the file: a collector reads it (node_exporter's, say), and in it is no number that is not
#: masked.
_MODE = 0o644
_WHERE = ["series", "deployment", "site"]


def client() -> Any:
    """Prometheus' client. Raises :class:`MistakeError` where it is not installed."""
    try:
        import prometheus_client
        import prometheus_client.openmetrics.exposition
    except ImportError:
        raise MistakeError(
            "metrics: prometheus-client is missing; allowed: the extra `nightly`"
        ) from None
    return prometheus_client


def registry_of(night: Night, runs: Sequence[Run], flakes: Iterable[FlakeRate]) -> Any:
    """The figures of a night."""
    prometheus = client()
    registry = prometheus.CollectorRegistry()

    def gauge(name: str, text: str, labels: Sequence[str]) -> Any:
        return prometheus.Gauge(f"{JOB}_{name}", text, labels, registry=registry)

    of_series = (
        ("night_ended_timestamp_seconds", "When the last night ended.", night.ended),
        ("night_exit_code", "How the last night ended: 0 all passed.", night.code),
        ("night_problems", "What was wrong in the last night.", len(night.problems)),
    )
    for name, text, value in of_series:
        gauge(name, text, ["series"]).labels(night.series).set(value)
    cases = gauge("cases", "Cases by verdict.", [*_WHERE, "verdict"])
    passed = gauge("row_passed", "1 where all cases of the row passed.", [*_WHERE, "row"])
    figures = gauge("kpi", "The worst of a row's calls.", [*_WHERE, "row", "kpi"])
    for run in runs:
        where = (night.series, run.deployment, run.site)
        counts = Counter(result.verdict for result in run.results)
        for verdict in Verdict:
            cases.labels(*where, str(verdict)).set(counts[verdict])
        for row, verdict_of_row in run.rows.items():
            passed.labels(*where, row.partition("/")[2]).set(verdict_of_row == Verdict.PASSED)
        for row, named in run.kpis.items():
            for name, value in named.items():
                figures.labels(*where, row, name).set(value)
    flaky = gauge("flake_rate", "Share of nights in which a case was flaky.", ["series", "case"])
    for one in flakes:
        flaky.labels(night.series, one.case).set(one.rate)
    return registry


def write(path: Path, registry: Any) -> None:
    """Write the OpenMetrics file in one step, so that its reader (usually another user) never finds
    half of it.
    """
    with writing(path):
        whole_file.write(path, client().openmetrics.exposition.generate_latest(registry), _MODE)


def push(url: str, registry: Any, series: str) -> None:
    """Push to a Pushgateway, in place of what was there of this series."""
    try:
        client().push_to_gateway(
            url, job=JOB, registry=registry, grouping_key={"series": series}, timeout=10
        )
    except (OSError, ValueError) as error:
        raise BrokenError(f"{url}: the metrics cannot be pushed: {error}") from error
