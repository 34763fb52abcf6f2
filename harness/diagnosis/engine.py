"""Rules against facts: what fires is named, what cannot be excluded is listed, what speaks against the rest is said."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.calls.events import Event, SipMessage
from harness.calls.verdict import Finding
from harness.deployment import Deployment
from harness.diagnosis import (
    ai_side,
    answering,
    audio,
    caller_end,
    caller_id,
    declared,
    dialogue,
    digits,
    handover,
    legs,
    manners,
    own,
    passage,
    probes,
    quality,
    registration,
    second_call,
    session,
    transfer,
)
from harness.diagnosis.catalogue import cause_text, rules_of
from harness.diagnosis.derive import Scene
from harness.diagnosis.facts import Facts
from harness.diagnosis.messages import NumberOf
from harness.diagnosis.result import Cause, Diagnosis, RuledOut
from harness.diagnosis.rule import Confidence, Rule, Symptom
from harness.diagnosis.symptoms import present
from harness.diagnosis.transfer import is_group
from harness.diagnosis.vantage import Vantage, Visibility
from harness.diagnosis.vocabulary import fact_kind

#: What makes facts known, in this order: the first value told of a fact stands.
PARTS = (
    *(own, dialogue, declared, probes, registration, ai_side, caller_end, answering),
    *(audio, digits, quality, caller_id, session, manners),
    *(transfer, handover, passage, legs, second_call),
)
#: Of a failure nobody knows, so many facts are told.
_MOST_NEAREST = 8
_AS_IT_SHOULD_BE = frozenset(
    {
        *(
            "answered",
            "the line's",
            "the trunk's",
            "the right one",
            "the right group",
            "the group's number",
            "the one asked for",
        ),
        *(
            "none",
            "none needed",
            "G.711",
            "reachable",
            "little",
            "low",
            "the same",
            "right",
            "heard",
            "both ways",
            "ended",
        ),
        *("valid", "answers", "ours", "usable", "accepted", False),
    }
)


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
    """What caused the failures among ``findings``; nothing when none of them, as far as can be seen, failed.

    ``case`` has the keys of :meth:`harness.integrations.matrix.Case.plain`. ``events`` are in the order in which they were recorded;
    ``number_of`` gives a message its number in reports, by default counted from ``m1`` in that order. With less than all
    visible, what the AI's side (and the agents) gave is withheld. ``rules`` replaces the integration's own.
    """
    number_of = number_of or _counted(events)
    events = second_call.left_out(events)
    vantage = Vantage(deployment, events, visibility)
    scene = Scene(
        case=case,
        findings=vantage.findings(findings),
        events=vantage.events(events),
        deployment=deployment,
        vantage=vantage,
        number_of=number_of,
        over=max((finding.at for finding in findings), default=math.inf),
    )
    for part in PARTS:
        part.tell(scene)
    symptoms = present(scene)
    integration = str(case.get("integration", ""))
    table = rules_of(integration) if rules is None else tuple(rules)
    return _Inference(scene, table, integration).run(symptoms)


def _counted(events: Sequence[Event]) -> NumberOf:
    numbers = {
        id(event): f"m{index}" for index, event in enumerate((e for e in events if isinstance(e, SipMessage)), start=1)
    }
    return lambda message: numbers.get(id(message), "")


class _Inference:
    def __init__(self, scene: Scene, rules: Sequence[Rule], integration: str) -> None:
        self._facts = scene.facts
        self._rules = rules
        self._integration = integration
        self._about = _about(scene)

    def run(self, symptoms: Mapping[Symptom, Sequence[Finding]]) -> Diagnosis:
        """Symptom by symptom, in the order of a call; a cause that explains a later one too is named once."""
        causes: list[Cause] = []
        explained: set[Symptom] = set()
        unexplained: list[str] = []
        unknown: list[Symptom] = []
        for symptom, findings in symptoms.items():
            if symptom in explained:
                continue
            chosen = self._fired(symptom)
            sure = any(rule.confidence != "possible" for rule in chosen)
            chosen = chosen if sure else self._in_order(self._possible(symptom))
            if not chosen:
                unknown.append(symptom)
                unexplained += [str(finding).splitlines()[0] for finding in findings]
                continue
            explained |= {symptom}.union(*(rule.symptoms + rule.consequences for rule in chosen))
            named = {cause.id for cause in causes}
            causes += [
                c for c in self._causes(chosen, sure, findings, self._rivals(symptom, chosen)) if c.id not in named
            ]
        failed = bool(symptoms)
        causes.sort(
            key=lambda cause: cause.confidence == "possible" and not cause.candidate
        )  # what is shown comes first
        return Diagnosis(
            causes=tuple(causes),
            ruled_out=tuple(self._ruled_out(symptoms, {cause.id for cause in causes})) if failed else (),
            nearest_facts=tuple(unexplained + self._nearest(unknown)) if unexplained else (),
            facts=tuple(_told(self._facts)) if failed else (),
            unexplained=tuple(unexplained),
            next_look=self._next_look(unknown) if unexplained else "",
        )

    def _fired(self, symptom: Symptom) -> list[Rule]:
        return [rule for rule in self._of(symptom) if all(c.holds(self._facts) for c in rule.conditions)]

    def _possible(self, symptom: Symptom) -> list[Rule]:
        return [
            rule
            for rule in self._of(symptom)
            if all(c.holds(self._facts) is not False for c in rule.when + rule.unless)
            and all(c.holds(self._facts) for c in rule.needs)
        ]

    def _in_order(self, rules: Sequence[Rule]) -> list[Rule]:
        """Candidates: first those for which something speaks, then the others, each in the order of a call."""
        favoured = {rule.cause for rule in rules if any(c.holds(self._facts) for c in rule.favours)}
        return sorted(rules, key=lambda rule: rule.cause not in favoured)

    def _rivals(self, symptom: Symptom, chosen: Sequence[Rule]) -> bool:
        """Whether another cause cannot be excluded by what was seen, be it that a rule names it as possible."""
        firm = {rule.cause for rule in chosen if rule.confidence != "possible"}
        known = {rule.cause for rule in chosen}
        return any(rule.cause not in (firm if rule in chosen else known) for rule in self._possible(symptom))

    def _of(self, symptom: Symptom) -> Iterable[Rule]:
        return (rule for rule in self._rules if symptom in rule.symptoms)

    def _causes(self, chosen: Sequence[Rule], sure: bool, findings: Sequence[Finding], has_rivals: bool) -> list[Cause]:
        """``has_rivals``: another cause cannot be excluded by what was seen, so that none of these is certain."""
        first = {rule.cause: rule for rule in reversed(chosen)}
        ordered = list(dict.fromkeys(rule.cause for rule in chosen))
        settles = "" if sure else self._separation([first[cause] for cause in ordered])
        shown = [str(finding).splitlines()[0] for finding in findings]
        return [self._cause(first[cause], sure and not has_rivals, sure, settles, shown) for cause in ordered]

    def _cause(self, rule: Rule, alone: bool, sure: bool, settles: str, shown: Sequence[str]) -> Cause:
        said = cause_text(rule.cause, self._integration)
        confidence: Confidence = rule.confidence if sure else "possible"
        if confidence == "certain" and not alone:
            confidence = "likely"
        return Cause(
            id=rule.cause,
            title=said["title"],
            guide_issue=said["issue"],
            fix=said["fix"],
            link=said["link"],
            owner=rule.owner or said["owner"],
            confidence=confidence,
            evidence=tuple(dict.fromkeys([*shown, *self._evidence(rule)])),
            separating_observation=settles,
            rule=rule.id,
            because=rule.because,
            candidate=not sure,
            about=self._about,
        )

    def _evidence(self, rule: Rule) -> list[str]:
        """The facts that it asks for; those that are only not to have some value where they are odd by themselves."""
        asked = [(c.how, self._facts[c.fact]) for c in rule.conditions if c.fact in self._facts]
        known = [f for how, f in asked if how == "is" or (how == "is not" and f.value not in _AS_IT_SHOULD_BE)]
        return [f"{fact} ({', '.join(fact.evidence)})" if fact.evidence else str(fact) for fact in known]

    def _separation(self, rules: Sequence[Rule]) -> str:
        """What would have to be known: of what tells candidates apart, the fact that most of them wait for."""
        asked = [[c for c in rule.when + rule.unless if c.fact not in self._facts] for rule in rules]
        wanted = {
            c.fact: {frozenset(k for k in each if k.fact == c.fact) for each in asked} for each in asked for c in each
        }
        telling = {fact for fact, kinds in wanted.items() if len(kinds) > 1} or set(wanted)
        for hows in (("is",), ("is", "is not"), ("not shown",)):
            waiting = Counter(
                fact
                for each in asked
                for fact in dict.fromkeys(c.fact for c in each if c.how in hows and c.fact in telling)
            )
            if waiting:
                return fact_kind(waiting.most_common()[0][0]).observe
        return ""

    def _ruled_out(self, symptoms: Iterable[Symptom], named: set[str]) -> Iterable[RuledOut]:
        """What is named is not ruled out, whichever other rules of its cause do not hold."""
        wanted = set(symptoms)
        for rule in self._rules:
            if rule.cause in named or wanted.isdisjoint(rule.symptoms):
                continue
            against = next((c for c in rule.conditions if c.holds(self._facts) is False), None)
            if against is not None:
                yield RuledOut(rule.id, rule.cause, against.answered(self._facts))
                continue
            missing = next((c for c in rule.conditions if c.holds(self._facts) is None), None)
            if missing is not None:
                yield RuledOut(rule.id, rule.cause, missing.answered(self._facts))

    def _next_look(self, unknown: Sequence[Symptom]) -> str:
        """Where to look for what most of the rules for such a failure ask for, and nobody could tell."""
        rules = {rule.id: rule for symptom in unknown for rule in self._of(symptom)}
        waiting = Counter[str]()
        for rule in rules.values():
            asked = [c.fact for c in rule.conditions if c.how == "is" and c.fact not in self._facts]
            waiting.update(dict.fromkeys((fact_kind(fact).observe for fact in asked), 1))
        return waiting.most_common()[0][0] if waiting else ""

    def _nearest(self, unknown: Sequence[Symptom]) -> list[str]:
        """What is odd comes first, and of that what the rules for such a failure look at."""
        asked = {c.fact for symptom in unknown for rule in self._of(symptom) for c in rule.conditions}
        telling = [f for f in self._facts.values() if f.name not in ("integration", "transport", "authentication")]
        telling.sort(key=lambda fact: (fact.value in _AS_IT_SHOULD_BE, fact.name not in asked))
        return [str(fact) for fact in telling[:_MOST_NEAREST]]


def _about(scene: Scene) -> dict[str, str]:
    """The parts of the deployment that the case is about."""
    group = next((f.facts.get("wanted") for f in scene.of("landing") if is_group(scene, f.facts.get("wanted"))), None)
    told = {
        "line": scene.line[0] if scene.line else None,
        "group": str(group) if group else None,
        "trunk": scene.trunk.name if scene.trunk else None,
    }
    return {what: name for what, name in told.items() if name}


def _told(facts: Facts) -> Iterable[str]:
    for fact in facts.values():
        yield f"{fact} ({', '.join(fact.evidence)})" if fact.evidence else str(fact)
