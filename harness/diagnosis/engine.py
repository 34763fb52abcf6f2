"""Rules against facts: names the causes that fire, lists those that cannot be excluded, and says what rules out the others."""

from __future__ import annotations

import math
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.calls.check_table import Symptom
from harness.calls.events import Event, SipMessage
from harness.calls.model import NumberOf
from harness.calls.verdict import Finding
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
from harness.diagnosis.facts import Fact, fact_kinds, table
from harness.diagnosis.result import Cause, Diagnosis, RuledOut
from harness.diagnosis.scene import Scene, Vantage, Visibility
from harness.diagnosis.symptoms import present
from harness.diagnosis.transfer import is_group

#: The modules that derive facts, in this order: the first value recorded of a fact stands.
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

    ``case`` has the keys of :meth:`harness.integrations.matrix.Case.plain`. ``events`` are in the order in which they were recorded;
    ``number_of`` gives a message its number in reports, by default counted from ``m1`` in that order. ``visibility`` withholds what the
    AI's side, or the agents, saw. ``rules`` replaces the integration's rules.

    Raises nothing, because a case has to end with its verdict: a diagnosis that itself fails says so.
    """
    try:
        scene = observe(case, findings, events, deployment, visibility=visibility, number_of=number_of)
        integration = str(case.get("integration", ""))
        table = rules_of(integration) if rules is None else tuple(rules)
        return _Inference(scene, table, integration).run(present(scene))
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
    """The evidence with all facts derived from it, before any rule is applied; parameters as for :func:`diagnose`."""
    numbers = {id(e): f"m{index}" for index, e in enumerate((e for e in events if isinstance(e, SipMessage)), start=1)}
    events = own.without_second_call(events)
    vantage = Vantage(deployment, events, visibility)
    scene = Scene(
        case=case,
        findings=vantage.findings(findings),
        events=vantage.events(events),
        deployment=deployment,
        vantage=vantage,
        number_of=number_of or (lambda message: numbers.get(id(message), "")),
        over=max((finding.at for finding in findings), default=math.inf),
    )
    for part in PARTS:
        part.derive(scene)
    return scene


class _Inference:
    def __init__(self, scene: Scene, rules: Sequence[Rule], integration: str) -> None:
        self._facts = scene.facts
        self._rules = rules
        self._integration = integration
        self._about = _about(scene)
        self._normal = frozenset(table("vocabulary")["normal"]["values"]) | {False}

    def run(self, symptoms: Mapping[Symptom, Sequence[Finding]]) -> Diagnosis:
        """Symptom by symptom, in the order of a call. A cause that also explains a later symptom is named once."""
        if not symptoms:
            return Diagnosis()
        causes: dict[str, Cause] = {}
        explained: set[Symptom] = set()
        unknown: dict[Symptom, Sequence[Finding]] = {}
        for symptom, findings in symptoms.items():
            if symptom in explained:
                continue
            fired = [rule for rule in self._of(symptom) if all(c.holds(self._facts) for c in rule.conditions)]
            possible = [rule for rule in self._of(symptom) if self._is_possible(rule)]
            sure = any(rule.confidence != "possible" for rule in fired)
            chosen = fired if sure else self._favoured_first(possible)
            if not chosen:
                unknown[symptom] = findings
                continue
            explained |= {symptom}.union(*(rule.symptoms + rule.consequences for rule in chosen))
            for cause in self._causes(chosen, findings, sure=sure, alone=sure and not _has_rivals(chosen, possible)):
                causes.setdefault(cause.id, cause)
        unexplained = [_line(finding) for findings in unknown.values() for finding in findings]
        return Diagnosis(
            # The causes that evidence shows come first.
            causes=tuple(sorted(causes.values(), key=lambda c: c.confidence == "possible" and not c.candidate)),
            ruled_out=tuple(self._ruled_out(symptoms, causes)),
            nearest_facts=tuple(unexplained + self._nearest(unknown)) if unexplained else (),
            facts=tuple(map(_with_evidence, self._facts.values())),
            unexplained=tuple(unexplained),
            next_look=self._next_look(unknown) if unexplained else "",
        )

    def _of(self, *symptoms: Symptom) -> list[Rule]:
        return [rule for rule in self._rules if not set(symptoms).isdisjoint(rule.symptoms)]

    def _is_possible(self, rule: Rule) -> bool:
        """Whether no fact contradicts it."""
        known = all(c.holds(self._facts) for c in rule.needs)
        return known and all(c.holds(self._facts) is not False for c in rule.when + rule.unless)

    def _favoured_first(self, rules: Sequence[Rule]) -> list[Rule]:
        """Candidates: first those for which something speaks, then the others, each in the order of the tables."""
        favoured = {rule.cause for rule in rules if any(c.holds(self._facts) for c in rule.favours)}
        return sorted(rules, key=lambda rule: rule.cause not in favoured)

    def _causes(
        self, chosen: Sequence[Rule], findings: Sequence[Finding], *, sure: bool, alone: bool
    ) -> Iterator[Cause]:
        """``sure``: evidence shows the causes; ``alone``: and no other cause is possible, so that they may be certain."""
        first = {rule.cause: rule for rule in reversed(chosen)}
        rules = [first[cause] for cause in dict.fromkeys(rule.cause for rule in chosen)]
        settles = "" if sure else self._separation(rules)
        for rule in rules:
            text = cause_text(rule.cause, self._integration)
            confidence: Confidence = rule.confidence if sure else "possible"
            if confidence == "certain" and not alone:
                confidence = "likely"
            yield Cause(
                id=rule.cause,
                title=text["title"],
                guide_issue=text["issue"],
                fix=text["fix"],
                link=text["link"],
                owner=rule.owner or text["owner"],
                confidence=confidence,
                evidence=tuple(dict.fromkeys([*map(_line, findings), *self._evidence(rule)])),
                separating_observation=settles,
                rule=rule.id,
                because=rule.because,
                candidate=not sure,
                about=self._about,
            )

    def _evidence(self, rule: Rule) -> list[str]:
        """The facts that the rule asks for, and those that must not have some value if their value is unusual."""
        asked = [(c.how, self._facts[c.fact]) for c in rule.conditions if c.fact in self._facts]
        known = [f for how, f in asked if how == "is" or (how == "is not" and f.value not in self._normal)]
        return list(map(_with_evidence, known))

    def _separation(self, rules: Sequence[Rule]) -> str:
        """What would have to be observed: of the facts that tell candidates apart, the one that most of them wait for."""
        asked = [[c for c in rule.when + rule.unless if c.fact not in self._facts] for rule in rules]
        facts = {c.fact for each in asked for c in each}
        wanted = {fact: {frozenset(c for c in each if c.fact == fact) for each in asked} for fact in facts}
        telling = {fact for fact, kinds in wanted.items() if len(kinds) > 1} or set(wanted)
        for hows in (("is",), ("is", "is not"), ("not shown",)):
            told = (dict.fromkeys(c.fact for c in each if c.how in hows and c.fact in telling) for each in asked)
            waiting = Counter(fact for each in told for fact in each)
            if waiting:
                return fact_kinds()[waiting.most_common()[0][0]].observe
        return ""

    def _ruled_out(self, symptoms: Iterable[Symptom], named: Iterable[str]) -> Iterator[RuledOut]:
        """The rules of other causes, each with a condition that the facts contradict, or else one that is not known."""
        for rule in self._of(*symptoms):
            answers = {c.holds(self._facts): c for c in reversed(rule.conditions)}
            condition = answers.get(False) or answers.get(None)
            if rule.cause not in named and condition is not None:
                yield RuledOut(rule.id, rule.cause, condition.answered(self._facts))

    def _next_look(self, unknown: Iterable[Symptom]) -> str:
        """How to observe the unknown fact that most of the rules for these symptoms ask for."""
        waiting = Counter[str]()
        for rule in self._of(*unknown):
            asked = [c.fact for c in rule.conditions if c.how == "is" and c.fact not in self._facts]
            waiting.update(dict.fromkeys((fact_kinds()[fact].observe for fact in asked), 1))
        return waiting.most_common()[0][0] if waiting else ""

    def _nearest(self, unknown: Iterable[Symptom]) -> list[str]:
        """Unusual facts first, and of those the ones that rules for these symptoms ask for."""
        asked = {c.fact for rule in self._of(*unknown) for c in rule.conditions}
        telling = [f for f in self._facts.values() if f.name not in ("integration", "transport", "authentication")]
        telling.sort(key=lambda fact: (fact.value in self._normal, fact.name not in asked))
        return [str(fact) for fact in telling[:_MOST_NEAREST]]


def _has_rivals(chosen: Sequence[Rule], possible: Sequence[Rule]) -> bool:
    """Whether the evidence does not exclude another cause, including one that is only possible."""
    firm = {rule.cause for rule in chosen if rule.confidence != "possible"}
    known = {rule.cause for rule in chosen}
    return any(rule.cause not in (firm if rule in chosen else known) for rule in possible)


def _about(scene: Scene) -> dict[str, str]:
    """The line, group and trunk of the deployment that the case is about."""
    wanted = (finding.facts.get("wanted") for finding in scene.of("landing"))
    told = {
        "line": scene.line[0] if scene.line else None,
        "group": next((group for group in wanted if is_group(scene, group)), None),
        "trunk": scene.trunk.name if scene.trunk else None,
    }
    return {what: str(name) for what, name in told.items() if name}


def _without_answer(error: Exception, findings: Sequence[Finding]) -> Diagnosis:
    place = traceback.extract_tb(error.__traceback__)[-1]
    told = f"{type(error).__name__}: {error}, in {Path(place.filename).name}, line {place.lineno}"
    fault = f"the diagnosis itself failed, which is a fault of the harness ({told})"
    failed = tuple(_line(finding) for finding in findings if finding.failed)
    return Diagnosis(
        nearest_facts=(fault,), unexplained=failed or (fault,), next_look="report it with the evidence of this case"
    )


def _line(finding: Finding) -> str:
    return str(finding).splitlines()[0]


def _with_evidence(fact: Fact) -> str:
    return f"{fact} ({', '.join(fact.evidence)})" if fact.evidence else str(fact)
