"""The self-proof as a page with the figures, and a longer one with the details of each fault, check
and pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from harness.case.check_table import CHECKS
from harness.diagnosis.catalogue import causes
from tools.selfproof.plan import FAULTS, PAIRS, UNDECIDED, UNREACHED, cause_of
from tools.selfproof.plugin import VISIBILITIES
from tools.selfproof.results import FIRST, Proof, Result, spoken

_HEAD = """# Self-proof: every fault injected, detected, named

`make selfproof` (`python -m tools.selfproof`) writes this page; do not edit it. It injects every fault of the guides'
troubleshooting tables into the simulated world, on every trunk where the fault can show. The harness, which does not
know the fault, must fail the row and name the cause. Each evidence is also diagnosed without the AI's side, and with
the caller's side alone. [Diagnosis](diagnosis.md) says how it reasons; `harness faults` says what each fault is.

`reports/selfproof-details.md` has every fault with its diagnosis for each view, every check with the faults that make
it fail, and every pair of faults.
"""
_DETAILS = "# Self-proof: the details\n"


def page(proof: Proof, clean_wanted: int) -> str:
    """The summary, in Markdown."""
    return _joined(_HEAD, _figures(proof, clean_wanted), _issues(proof), _lists())


def details(proof: Proof) -> str:
    """Each fault, check and pair, in Markdown."""
    return _joined(_DETAILS, _matrix(proof), _checks(proof), _visibility(proof), _pairs(proof))


def _joined(head: str, *parts: Iterator[str]) -> str:
    return "\n".join([head, *chain.from_iterable(parts)]).rstrip() + "\n"


def _figures(proof: Proof, clean_wanted: int) -> Iterator[str]:
    plain = proof.plain()
    yield "| what | bar | result |\n|---|---|---|"
    yield f"| faults, and the rows and trunks they were injected on | all | {plain['faults']}, {plain['injected']} |"
    yield f"| the row fails | {plain['injected']} | {plain['row_failed']} |"
    yield f"| the injected cause is named first | wherever the evidence can tell | {plain['named_first']} |"
    yield f"| it is in the list documented below | the rest | {plain['candidates_only']} |"
    yield f"| clean cases | {clean_wanted} | {plain['clean_cases']} |"
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


def _matrix(proof: Proof) -> Iterator[str]:
    yield "## Injected × diagnosed\n"
    yield "A fault's cases are its rows over integrations, transports, authentication and kinds of AI.\n"
    yield "| issue | injected | cases | row fails | named first | in the list | diagnosed as |\n|---|---|---|---|---|---|---|"
    for fault, results in _by_fault(proof).items():
        failed = sum(r.outcome != "not failed" for r in results)
        named = sum(r.outcome == "named" for r in results)
        listed = sum(r.outcome == "listed" for r in results)
        told = proof.matrix()[fault]
        words = {r.cause: "itself" if r.cause == fault else f"`{r.cause}`" for r in results}
        others = [f"{what} ({count})" for what, count in told.items() if what not in words]
        right = Counter(r.cause for r in results if r.outcome == "named")
        counted = [f"{words[cause]} ({count})" for cause, count in right.items()]
        diagnosed = ", ".join([*counted, *others] if others or len(words) > 1 else words.values())
        yield f"| {causes()[cause_of(fault)].issue} | `{fault}` | {len(results)} | {failed} | {named} | {listed} | {diagnosed} |"
    yield ""


def _checks(proof: Proof) -> Iterator[str]:
    yield "## Checks, and the faults that make them fail\n"
    yield "Each check also has an example in `tests/unit/checks` of what it accepts, and of what it must not.\n"
    yield "| check | a failed one says | fails with (cases) |\n|---|---|---|"
    for check, faults in proof.checks().items():
        counted = ", ".join(f"`{fault}` ({count})" for fault, count in faults.items())
        yield f"| `{check}` | {CHECKS[check].failed} | {counted or 'none: ' + UNREACHED.get(check, '?')} |"
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


def _visibility(proof: Proof) -> Iterator[str]:
    yield "## The same with less to see\n"
    yield (
        "The same evidence, diagnosed without what the AI's side gave (callers and agents), and with the callers' side "
        "only: what a black-box run against real systems sees. *Nothing* means that no failure is visible from there.\n"
    )
    yield "| injected | all | callers and agents | callers alone |\n|---|---|---|---|"
    for fault, results in _by_fault(proof).items():
        cells = [_cell(results, visibility) for visibility in VISIBILITIES]
        yield f"| `{fault}` | " + " | ".join(cells) + " |"
    yield ""
    yield "Each list says what would settle it; the most common observations are:\n"
    settling = sorted({t.settles for r in proof.of("fault") for t in r.told.values() if t.settles})
    yield from (f"- {observation}" for observation in settling)
    yield ""


def _cell(results: Sequence[Result], visibility: str) -> str:
    """Named, a list with how long it is, another cause, or nothing seen; with counts where cases
    differ.
    """
    counted: dict[str, int] = {}
    for result in results:
        told = next((t for v, t in result.told.items() if v == visibility), None)
        if told is None:
            what = "nothing"
        elif told.candidates:
            length = len(told.candidates)
            what = (f"one of {length}" if length > 1 else "possibly") + (
                "" if result.cause in told.candidates else ", not it"
            )
        elif told.first == result.cause:
            what = "named"
        else:
            what = (
                told.first
                if told.first in ("nothing", "no documented cause")
                else f"`{told.first}`"
            )
        counted[what] = counted.get(what, 0) + 1
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join(
        f"{what} ({count})"
        for what, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )


def _pairs(proof: Proof) -> Iterator[str]:
    yield "## Two faults at once\n"
    yield "| pair | cases | both named | otherwise |\n|---|---|---|---|"
    for one, other, _ in PAIRS:
        results = [r for r in proof.of("pair") if r.faults == (one, other)]
        named = sum(r.names_both for r in results)
        rest = "; ".join(
            dict.fromkeys(spoken(r.told.get("all")) for r in results if not r.names_both)
        )
        yield f"| `{one}` + `{other}` | {len(results)} | {named} | {rest} |"
    yield ""


def _by_fault(proof: Proof) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {fault: [] for fault in FAULTS}
    for result in proof.of("fault"):
        found[result.faults[0]].append(result)
    return {fault: results for fault, results in found.items() if results}
