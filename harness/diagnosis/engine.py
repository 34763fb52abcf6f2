"""Rules against facts: names the causes that fire, lists those that cannot be excluded, and says
what rules out the others.
"""

from __future__ import annotations

import math
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.case.check_table import Symptom
from harness.case.events import Event, SipMessage, phone_of
from harness.case.legs import CaseEvents
from harness.case.model import NumberOf
from harness.case.verdict import Finding
from harness.deployment import Deployment
from harness.diagnosis import (
    ai_side,
    audio,
    caller_end,
    dialogue,
    legs,
    own,
    passage,
    registration,
    session,
    transfer,
)
from harness.diagnosis.catalogue import Confidence, Rule, cause_text, rules_of
from harness.diagnosis.facts import Fact, Facts, fact_kinds, table
from harness.diagnosis.result import HEDGES, Cause, Diagnosis, RuledOut
from harness.diagnosis.scene import Scene, Vantage, Visibility, ends_of
from harness.diagnosis.symptoms import present
from harness.diagnosis.transfer import is_group

#: The modules that derive facts, in this order: the first value recorded of a fact stands, for each
#: leg and for the case.
PARTS = (own, dialogue, registration, ai_side, caller_end, audio, passage, session, transfer, legs)
#: How many facts are listed for a failure that no cause explains.
_MOST_NEAREST = 8


def diagnose(
    case: Mapping[str, object],
    findings: Sequence[Finding],
    events: Sequence[Event],
    deployment: Deployment | None,
    *,
    visibility: Visibility = "all",
    number_of: NumberOf | None = None,
    rules: Sequence[Rule] | None = None,
) -> Diagnosis:
    """What caused the failures among ``findings``; nothing if none failed, as far as can be seen.

    ``case`` has the keys of :meth:`harness.integrations.matrix.Case.plain`. ``events`` are in the
    order in which they were recorded; ``number_of`` gives a message its number in reports, by
    default counted from ``m1`` in that order. ``visibility`` withholds what the AI's side, or the
    agents, saw. ``rules`` replaces the integration's rules.

    Raises nothing, because a case has to end with its verdict: a diagnosis that itself fails says
    so.
    """
    try:
        scene = observe(
            case, findings, events, deployment, visibility=visibility, number_of=number_of
        )
        integration = str(case.get("integration", ""))
        table = rules_of(integration) if rules is None else tuple(rules)
        return infer(scene, table, integration, present(scene))
    except Exception as error:
        return _without_answer(error, findings)


def observe(
    case: Mapping[str, object],
    findings: Sequence[Finding],
    events: Sequence[Event],
    deployment: Deployment | None,
    *,
    visibility: Visibility = "all",
    number_of: NumberOf | None = None,
) -> Scene:
    """The evidence with all facts derived from it, before any rule is applied; parameters as for
    :func:`diagnose`.
    """
    recorded = CaseEvents(events)
    messages = recorded.of(SipMessage)
    numbers = {id(message): f"m{index}" for index, message in enumerate(messages, start=1)}
    before = own.without_second_call(recorded)
    vantage = Vantage(deployment, before, visibility)
    scene = Scene(
        case=case,
        findings=vantage.findings(findings),
        events=vantage.events(before),
        deployment=deployment,
        vantage=vantage,
        number_of=number_of or (lambda message: numbers.get(id(message), "")),
        over=max((finding.at for finding in findings), default=math.inf),
    )
    for part in PARTS:
        part.derive(scene)
    return scene


def infer(
    scene: Scene,
    rules: Sequence[Rule],
    integration: str,
    symptoms: Mapping[Symptom, Sequence[Finding]],
) -> Diagnosis:
    """Symptom by symptom, in the order of a call, and within each leg by leg: a finding is
    explained by the facts of its leg.

    A cause that also explains a later symptom is named once.
    """
    if not symptoms:
        return Diagnosis()
    causes: dict[str, Cause] = {}
    ruled_out: dict[str, RuledOut] = {}
    explained: set[Symptom] = set()
    unexplained: list[str] = []
    unknown: list[tuple[Symptom, _Inference]] = []
    for symptom, findings in symptoms.items():
        found: dict[str, Cause] = {}
        solved: set[Symptom] = set()
        for facts, some in _by_leg(scene, findings):
            at_leg = _Inference(scene, facts, rules, integration)
            for each in at_leg.ruled_out(symptom):
                ruled_out.setdefault(each.rule, each)
            if symptom in explained:
                continue
            named = at_leg.causes_of(symptom, some)
            for cause, rule in named:
                found[cause.id] = _joined(found[cause.id], cause) if cause.id in found else cause
                solved |= {symptom, *rule.symptoms, *rule.consequences}
            if not named:
                unexplained += map(_line, some)
                unknown.append((symptom, at_leg))
        explained |= solved
        causes |= {name: cause for name, cause in found.items() if name not in causes}
    diagnosis = Diagnosis(
        # The causes that evidence shows come first.
        causes=tuple(
            sorted(causes.values(), key=lambda c: c.confidence == "possible" and not c.candidate)
        ),
        ruled_out=tuple(each for each in ruled_out.values() if each.cause not in causes),
        facts=tuple(map(_with_evidence, scene.facts.every)),
        unexplained=tuple(unexplained),
    )
    if not unexplained:
        return diagnosis
    asked, at_leg = [symptom for symptom, _ in unknown], unknown[0][1]
    nearest = (*unexplained, *at_leg.nearest(asked))
    return replace(diagnosis, nearest_facts=nearest, next_look=at_leg.next_look(asked))


def _by_leg(scene: Scene, findings: Sequence[Finding]) -> list[tuple[Facts, list[Finding]]]:
    """The findings, those together that the same facts explain. A symptom without a finding is the
    whole case's.
    """
    found: list[tuple[Facts, list[Finding]]] = []
    for finding in findings:
        facts = scene.facts_of(finding)
        same = next((some for known, some in found if known == facts), None)
        if same is None:
            found.append((facts, same := []))
        same.append(finding)
    return found or [(scene.facts, [])]


def _joined(one: Cause, other: Cause) -> Cause:
    """A cause that two legs show: as sure as the surer of them."""
    first, second = sorted((one, other), key=lambda cause: list(HEDGES).index(cause.confidence))
    agents = dict.fromkeys(cause.about["agent"] for cause in (one, other) if "agent" in cause.about)
    about = {**first.about, **({"agent": " and ".join(agents)} if agents else {})}
    return replace(
        first, evidence=tuple(dict.fromkeys(first.evidence + second.evidence)), about=about
    )


class _Inference:
    """The rules against the facts of one leg, of its call and of the case."""

    def __init__(self, scene: Scene, facts: Facts, rules: Sequence[Rule], integration: str) -> None:
        self._scene = scene
        self._facts = facts
        self._rules = rules
        self._integration = integration
        self._normal = frozenset(table("vocabulary")["normal"]["values"]) | {False}

    def causes_of(self, symptom: Symptom, findings: Sequence[Finding]) -> list[tuple[Cause, Rule]]:
        """The causes of a symptom, each with its rule: those that evidence shows, else those that
        cannot be excluded.
        """
        fired = [
            rule for rule in self._of(symptom) if all(c.holds(self._facts) for c in rule.conditions)
        ]
        possible = [rule for rule in self._of(symptom) if self._is_possible(rule)]
        sure = any(rule.confidence != "possible" for rule in fired)
        chosen = fired if sure else self._favoured_first(possible)
        return list(
            self._causes(
                chosen, findings, sure=sure, alone=sure and not _has_rivals(chosen, possible)
            )
        )

    def _of(self, *symptoms: Symptom) -> list[Rule]:
        return [rule for rule in self._rules if not set(symptoms).isdisjoint(rule.symptoms)]

    def _is_possible(self, rule: Rule) -> bool:
        """Whether no fact contradicts it."""
        known = all(c.holds(self._facts) for c in rule.needs)
        return known and all(c.holds(self._facts) is not False for c in rule.when + rule.unless)

    def _favoured_first(self, rules: Sequence[Rule]) -> list[Rule]:
        """Candidates: first those for which something speaks, then the others, each in the order of
        the tables.
        """
        favoured = {rule.cause for rule in rules if any(c.holds(self._facts) for c in rule.favours)}
        return sorted(rules, key=lambda rule: rule.cause not in favoured)

    def _causes(
        self, chosen: Sequence[Rule], findings: Sequence[Finding], *, sure: bool, alone: bool
    ) -> Iterator[tuple[Cause, Rule]]:
        """``sure``: evidence shows the causes; ``alone``: and no other cause is possible, so that
        they may be certain.
        """
        first = {rule.cause: rule for rule in reversed(chosen)}
        rules = [first[cause] for cause in dict.fromkeys(rule.cause for rule in chosen)]
        settles = "" if sure else self._separation(rules)
        for rule in rules:
            text = cause_text(rule.cause, self._integration, self._facts)
            confidence: Confidence = rule.confidence if sure else "possible"
            if confidence == "certain" and not alone:
                confidence = "likely"
            cause = Cause(
                id=rule.cause,
                title=text["title"],
                guide_issue=rule.issue or text["issue"],
                fix=text["fix"],
                link=text["link"],
                owner=rule.owner or text["owner"],
                confidence=confidence,
                evidence=tuple(dict.fromkeys([*map(_line, findings), *self._evidence(rule)])),
                separating_observation=settles,
                rule=rule.id,
                because=rule.because,
                candidate=not sure,
                about=_about(self._scene, findings),
            )
            yield from ((cause, each) for each in chosen if each.cause == rule.cause)

    def _evidence(self, rule: Rule) -> list[str]:
        """The facts that the rule asks for, and those that must not have some value if their value
        is unusual.
        """
        asked = [(c.how, self._facts[c.fact]) for c in rule.conditions if c.fact in self._facts]
        known = [
            f
            for how, f in asked
            if how == "is" or (how == "is not" and f.value not in self._normal)
        ]
        return list(map(_with_evidence, known))

    def _separation(self, rules: Sequence[Rule]) -> str:
        """What would have to be observed: of the facts that tell candidates apart, the one that
        most of them wait for.
        """
        asked = [
            [c for c in rule.when + rule.unless if c.fact not in self._facts] for rule in rules
        ]
        facts = {c.fact for each in asked for c in each}
        wanted = {
            fact: {frozenset(c for c in each if c.fact == fact) for each in asked} for fact in facts
        }
        telling = {fact for fact, kinds in wanted.items() if len(kinds) > 1} or set(wanted)
        for hows in (("is",), ("is", "is not"), ("not shown",)):
            reported = (
                dict.fromkeys(c.fact for c in each if c.how in hows and c.fact in telling)
                for each in asked
            )
            waiting = Counter(fact for each in reported for fact in each)
            if waiting:
                return fact_kinds()[waiting.most_common()[0][0]].observe
        return ""

    def ruled_out(self, symptom: Symptom) -> Iterator[RuledOut]:
        """The rules that do not apply, each with a condition that the facts contradict, or else one
        that is not known.
        """
        for rule in self._of(symptom):
            answers = {c.holds(self._facts): c for c in reversed(rule.conditions)}
            condition = answers.get(False) or answers.get(None)
            if condition is not None:
                yield RuledOut(rule.id, rule.cause, condition.answered(self._facts))

    def next_look(self, unknown: Iterable[Symptom]) -> str:
        """How to observe the unknown fact that most of the rules for these symptoms ask for."""
        waiting = Counter[str]()
        for rule in self._of(*unknown):
            asked = [c.fact for c in rule.conditions if c.how == "is" and c.fact not in self._facts]
            waiting.update(dict.fromkeys((fact_kinds()[fact].observe for fact in asked), 1))
        return waiting.most_common()[0][0] if waiting else ""

    def nearest(self, unknown: Iterable[Symptom]) -> list[str]:
        """Unusual facts first, and of those the ones that rules for these symptoms ask for."""
        asked = {c.fact for rule in self._of(*unknown) for c in rule.conditions}
        telling = [
            f
            for f in self._facts.values()
            if f.name not in ("integration", "transport", "authentication")
        ]
        telling.sort(key=lambda fact: (fact.value in self._normal, fact.name not in asked))
        return [str(fact) for fact in telling[:_MOST_NEAREST]]


def _has_rivals(chosen: Sequence[Rule], possible: Sequence[Rule]) -> bool:
    """Whether the evidence does not exclude another cause, including one that is only possible."""
    firm = {rule.cause for rule in chosen if rule.confidence != "possible"}
    known = {rule.cause for rule in chosen}
    return any(rule.cause not in (firm if rule in chosen else known) for rule in possible)


def _about(scene: Scene, findings: Sequence[Finding]) -> dict[str, str]:
    """The line, group and trunk of the deployment that the case is about, and the agents whose legs
    show it.
    """
    ends = [
        end
        for finding in findings
        for end in ends_of(finding)
        if scene.vantage.role(end) == "agent"
    ]
    wanted = (finding.facts.get("wanted") for finding in scene.of("landing"))
    reported = {
        "line": scene.line_name,
        "group": next((group for group in wanted if is_group(scene, group)), None),
        "trunk": scene.trunk.name if scene.trunk else None,
        "agent": " and ".join(dict.fromkeys(filter(None, map(phone_of, ends)))),
    }
    return {what: str(name) for what, name in reported.items() if name}


def _without_answer(error: Exception, findings: Sequence[Finding]) -> Diagnosis:
    place = traceback.extract_tb(error.__traceback__)[-1]
    words = f"{type(error).__name__}: {error}, in {Path(place.filename).name}, line {place.lineno}"
    fault = f"the diagnosis itself failed, which is a fault of the harness ({words})"
    failed = tuple(_line(finding) for finding in findings if finding.failed)
    return Diagnosis(
        nearest_facts=(fault,),
        unexplained=failed or (fault,),
        next_look="report it with the evidence of this case",
    )


def _line(finding: Finding) -> str:
    return str(finding).splitlines()[0]


def _with_evidence(fact: Fact) -> str:
    return f"{fact} ({', '.join(fact.evidence)})" if fact.evidence else str(fact)
