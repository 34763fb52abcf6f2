"""``docs/liveproof.md``, from the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from harness.case.verdict import Verdict
from tools.liveproof.plan import AIS, FAULTS, VOICES, WITNESSES
from tools.liveproof.results import Proof, Result

_HEAD = """\
# Live proof: what a live run says, and what it does not

`make liveproof` writes this page. It runs customers' set-ups against a simulated world that is started separately.
The harness knows only what a customer's file says, and sees the AI through its API's record and, depending on the
witness, words, RTCP, a recording or captures. In some worlds something is wrong: a fault of the platform, or an AI
that is deaf, silent, or an answering machine. There no case may pass (`false_pass`), and no wrong cause may be named
as certain (`wrong_certain`). In the others no case may fail (`false_alarms`), and every case must pass wherever the
witness can tell.

"""
_TAIL = """
`failed` and `not observable` are both right where something is wrong: the second says that nobody here could see it.
Where only arriving packets are asked for (`indicated`), a deaf AI is as good as any other, and is left out. A
platform that ends RTCP is declared as such (`synthflow.rtcp = "by-hop"`). A case that said nothing is run once more
(`repeated`). `localised`: of the cases whose audio is lost between two captures, the share whose diagnosis names the
two. The times are those that audio checks hold a scenario up; the last two are of two checks on each of three
calls (`CONCURRENT`), and on one call (`REINVITE-CODEC`). No witness without a transcript asks for `confirmed`: nothing
could confirm audio there, so the plan leaves such rows out. [Evidence](evidence.md) says what each observation is worth.
"""


#: The verdicts that are counted where something is wrong, and where all is well.
_WRONG = (Verdict.FAILED, Verdict.NOT_OBSERVABLE, Verdict.PASSED)
_WELL = (Verdict.PASSED, Verdict.NOT_OBSERVABLE)


def page(proof: Proof, drawn: str = "") -> str:
    """The page; ``drawn`` says of a sample what it is one of."""
    sample = f"This page is of a sample: {drawn}.\n\n" if drawn else ""
    figures = "\n".join(f"| `{key}` | {value} |" for key, value in proof.plain().items())
    return (
        f"{_HEAD}{sample}| figure | |\n|---|---|\n{figures}\n\n## By witness\n\n"
        + _table(
            "witness", proof.results, lambda r: r.world.witness.name, [w.name for w in WITNESSES]
        )
        + f"\nThe faults: {_faults()}.\n"
        + "\n## By AI, where the platform is in order\n\n"
        + _table(
            "AI",
            [r for r in proof.results if not r.world.fault],
            lambda r: r.world.ai.name,
            [a.name for a in (*AIS, *VOICES)],
        )
        + amiss(proof.shortfalls)
        + _TAIL
    )


def amiss(shortfalls: Sequence[str]) -> str:
    """A section of what is not as it has to be; empty where there is nothing."""
    lines = "".join(f"- {line}\n" for line in shortfalls)
    return f"\n## Not as it has to be\n\n{lines}" if lines else ""


def _faults() -> str:
    return ", ".join(f"`{fault}`" for faults in FAULTS.values() for fault in faults)


def _table(
    of: str, results: Sequence[Result], key: Callable[[Result], str], names: Iterable[str]
) -> str:
    lines = [
        f"| {of} | wrong: cases | failed | not observable | passed | clean: cases | passed | not observable | false alarms |"
    ]
    lines.append("|" + "---|" * 9)
    for name in names:
        mine = [result for result in results if key(result) == name]
        if not mine:
            continue
        wrong = Counter(r.verdict for r in mine if r.is_injected)
        well = Counter(r.verdict for r in mine if not r.is_injected)
        cells = [wrong.total(), *(wrong[verdict] for verdict in _WRONG), well.total()]
        cells += [*(well[verdict] for verdict in _WELL), sum(r.is_false_alarm for r in mine)]
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"
