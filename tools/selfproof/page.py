"""The self-proof as a page with the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.diagnosis.catalogue import causes
from tools.selfproof.plan import FAULTS, UNDECIDED, cause_of
from tools.selfproof.plugin import VISIBILITIES
from tools.selfproof.results import FIRST, Proof, Result

_HEAD = """# Self-proof: every fault injected, detected, named

`make selfproof` (`python -m tools.selfproof`) writes this page; do not edit it. It injects every fault of the guides'
troubleshooting tables into the simulated world, on every trunk where the fault can show. The harness, which does not
know the fault, must fail the row and name the cause. Each evidence is also diagnosed without the AI's side, and with
the caller's side alone. [Diagnosis](diagnosis.md) says how it reasons; `harness faults` says what each fault is.

`reports/selfproof.json` has every fault with its diagnosis for each view, and every check with the faults that make
it fail.

`make selfproof ARGS="--sweep SEED"` injects each fault on each row of each integration instead, on one trunk that the seed
draws; `--most 300` draws so many of them, as each night does. The world says whether the fault acted. Where it did, the
row has to fail, the first cause has to be right in 94 %, and no other cause may be certain; `tools/selfproof/sweep.toml`
has what a row cannot show, with the reason. The figures are in `reports/sweep.json`.
"""


def page(proof: Proof) -> str:
    """The summary, in Markdown."""
    lines = [_HEAD, *_figures(proof), *_issues(proof), *_lists()]
    return "\n".join(lines).rstrip() + "\n"


def _figures(proof: Proof) -> Iterator[str]:
    plain = proof.plain()
    yield "| what | bar | result |\n|---|---|---|"
    yield f"| faults, and the rows and trunks they were injected on | all | {plain['faults']}, {plain['injected']} |"
    yield f"| the row fails | {plain['injected']} | {plain['row_failed']} |"
    yield f"| the injected cause is named first | wherever the evidence can tell | {plain['named_first']} |"
    yield f"| it is in the list documented below | the rest | {plain['candidates_only']} |"
    yield f"| clean cases | {proof.clean_wanted} | {plain['clean_cases']} |"
    yield f"| false alarms among them | 0 | {plain['false_alarms']} |"
    yield f"| two faults at once, both in the first {FIRST} | 90 % of {plain['pairs']} | {plain['pairs_named']} |"
    for visibility in VISIBILITIES[1:]:
        claims = proof.claims(visibility)
        told = ", ".join(f"{count} {claim}" for claim, count in claims.items() if claim != "wrong")
        yield f"| by {visibility} alone: another cause, or a list without the injected one | 0 | {claims['wrong']} ({told}) |"
    yield f"| made once more, since the harness had been kept waiting | | {proof.repeated} |"
    yield f"| broken: the harness itself failed, or was kept waiting | | {len(proof.broken)} |"
    yield ""


def _issues(proof: Proof) -> Iterator[str]:
    yield "## By issue\n"
    yield "A fault's cases are its rows over integrations, transports, authentication and kinds of AI.\n"
    yield "| issue | faults | cases | row fails | named first | in the list |\n|---|---|---|---|---|---|"
    by_issue: dict[str, list[list[Result]]] = {}
    for fault, results in _by_fault(proof).items():
        by_issue.setdefault(causes()[cause_of(fault)].issue, []).append(results)
    for issue, faults in by_issue.items():
        outcomes = Counter(result.outcome for results in faults for result in results)
        failed = outcomes.total() - outcomes["not failed"]
        counts = (len(faults), outcomes.total(), failed, outcomes["named"], outcomes["listed"])
        yield f"| {issue} | " + " | ".join(map(str, counts)) + " |"
    yield ""


def _lists() -> Iterator[str]:
    yield "## Where the evidence cannot decide\n"
    yield "There the diagnosis is a list, with the one observation that would settle it.\n"
    lists: dict[frozenset[str], list[str]] = {}
    why = {item.among: item.why for item in reversed(UNDECIDED)}
    for item in UNDECIDED:
        where = [*(f"row {row}" for row in item.rows), *(f"{a} {v}" for a, v in item.axes.items())]
        where += [item.integration] if item.integration else []
        on = f" ({', '.join(where)})" if where else ""
        lists.setdefault(item.among, []).append(
            f"{', '.join(f'`{fault}`' for fault in item.faults)}{on}"
        )
    for among, injected in lists.items():
        yield f"- {'; '.join(injected)}: one of {', '.join(f'`{cause}`' for cause in sorted(among))}. {why[among]}"
    yield ""


def _by_fault(proof: Proof) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {fault: [] for fault in FAULTS}
    for result in proof.of("fault"):
        found[result.faults[0]].append(result)
    return {fault: results for fault, results in found.items() if results}
