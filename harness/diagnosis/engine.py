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
from harness.diagnosis.catalogue import Condition, Confidence, Rule, cause_text, rules_of
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
#: Facts that every case declares, which explain nothing by themselves.
_OF_EVERY_CASE = ("integration", "transport", "authentication")


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
    answer = _Answer()
    for symptom, findings in symptoms.items():
        at_legs = [
            (_Inference(scene, facts, rules, integration), some)
            for facts, some in _by_leg(scene, findings)
        ]
        for at_leg, _ in at_legs:
            answer.add_ruled_out(at_leg.ruled_out(symptom))
        if symptom not in answer.explained:
            answer.explain(symptom, at_legs)
    return answer.diagnosis(scene)


class _Answer:
    """What the rules have said so far, of the symptoms in the order of a call."""

    def __init__(self) -> None:
        self.explained: set[Symptom] = set()
        self._causes: dict[str, Cause] = {}
        self._ruled_out: dict[str, RuledOut] = {}
        self._unexplained: list[str] = []
        self._unknown: list[tuple[Symptom, _Inference]] = []

    def add_ruled_out(self, rules: Iterable[RuledOut]) -> None:
        for each in rules:
            self._ruled_out.setdefault(each.rule, each)

    def explain(
        self, symptom: Symptom, at_legs: Sequence[tuple[_Inference, Sequence[Finding]]]
    ) -> None:
        """Add the causes of a symptom, or its findings at the legs where no rule names one.

        What a cause produces by itself, and what its rule explains as well, counts as explained
        for the symptoms after this one.
        """
        found: dict[str, Cause] = {}
        for at_leg, findings in at_legs:
            named = at_leg.causes_of(symptom, findings)
            for cause, rule in named:
                found[cause.id] = _joined(found[cause.id], cause) if cause.id in found else cause
                self.explained |= {symptom, *rule.symptoms, *rule.consequences}
            if not named:
                self._unexplained += map(_line, findings)
                self._unknown.append((symptom, at_leg))
        for name, cause in found.items():
            self._causes.setdefault(name, cause)

    def diagnosis(self, scene: Scene) -> Diagnosis:
        """All that was said; for what no rule explains, also what is known that comes nearest."""
        # The causes that evidence shows come first.
        causes = sorted(self._causes.values(), key=_is_guessed)
        ruled_out = [each for each in self._ruled_out.values() if each.cause not in self._causes]
        diagnosis = Diagnosis(
            causes=tuple(causes),
            ruled_out=tuple(ruled_out),
            facts=tuple(map(_with_evidence, scene.facts.every)),
            unexplained=tuple(self._unexplained),
        )
        if not self._unexplained:
            return diagnosis
        asked = [symptom for symptom, _ in self._unknown]
        _, at_leg = self._unknown[0]
        return replace(
            diagnosis,
            nearest_facts=(*self._unexplained, *at_leg.nearest(asked)),
            next_look=at_leg.next_look(asked),
        )


def _is_guessed(cause: Cause) -> bool:
    """Whether a rule fired that says only that the cause is possible."""
    return cause.confidence == "possible" and not cause.candidate


def _by_leg(scene: Scene, findings: Sequence[Finding]) -> list[tuple[Facts, list[Finding]]]:
    """The findings, those together that the same facts explain. A symptom without a finding is the
    whole case's.
    """
    found: list[tuple[Facts, list[Finding]]] = []
    for finding in findings:
        facts = scene.facts_of(finding)
        same = next((some for known, some in found if known == facts), None)
        if same is None:
            same = []
            found.append((facts, same))
        same.append(finding)
    return found or [(scene.facts, [])]


def _joined(one: Cause, other: Cause) -> Cause:
    """A cause that two legs show: as sure as the surer of them."""
    by_certainty = list(HEDGES)
    first, second = one, other
    if by_certainty.index(other.confidence) < by_certainty.index(one.confidence):
        first, second = other, one
    evidence = tuple(dict.fromkeys(first.evidence + second.evidence))
    about = dict(first.about)
    agents = [cause.about["agent"] for cause in (one, other) if "agent" in cause.about]
    if agents:
        about["agent"] = " and ".join(dict.fromkeys(agents))
    return replace(first, evidence=evidence, about=about)


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
        fired = [rule for rule in self._of(symptom) if self._fires(rule)]
        possible = [rule for rule in self._of(symptom) if self._is_possible(rule)]
        sure = any(rule.confidence != "possible" for rule in fired)
        chosen = fired if sure else self._favoured_first(possible)
        alone = sure and not _has_rivals(chosen, possible)
        return list(self._causes(chosen, findings, sure=sure, alone=alone))

    def _of(self, *symptoms: Symptom) -> list[Rule]:
        return [rule for rule in self._rules if not set(symptoms).isdisjoint(rule.symptoms)]

    def _fires(self, rule: Rule) -> bool:
        return all(condition.holds(self._facts) for condition in rule.conditions)

    def _is_possible(self, rule: Rule) -> bool:
        """Whether no fact contradicts it."""
        if not all(condition.holds(self._facts) for condition in rule.needs):
            return False
        others = rule.when + rule.unless
        return all(condition.holds(self._facts) is not False for condition in others)

    def _favoured_first(self, rules: Sequence[Rule]) -> list[Rule]:
        """Candidates: first those for which something speaks, then the others, each in the order of
        the tables.
        """
        favoured = set()
        for rule in rules:
            if any(condition.holds(self._facts) for condition in rule.favours):
                favoured.add(rule.cause)
        return sorted(rules, key=lambda rule: rule.cause not in favoured)

    def _causes(
        self, chosen: Sequence[Rule], findings: Sequence[Finding], *, sure: bool, alone: bool
    ) -> Iterator[tuple[Cause, Rule]]:
        """``sure``: evidence shows the causes; ``alone``: and no other cause is possible, so that
        they may be certain.
        """
        first: dict[str, Rule] = {}
        for rule in chosen:
            first.setdefault(rule.cause, rule)
        settles = "" if sure else self._separation(list(first.values()))
        for rule in first.values():
            text = cause_text(rule.cause, self._integration, self._facts)
            evidence = [*map(_line, findings), *self._evidence(rule)]
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
                evidence=tuple(dict.fromkeys(evidence)),
                separating_observation=settles,
                rule=rule.id,
                because=rule.because,
                candidate=not sure,
                about=_about(self._scene, findings),
            )
            for each in chosen:
                if each.cause == rule.cause:
                    yield cause, each

    def _evidence(self, rule: Rule) -> list[str]:
        """The facts that the rule asks for, and those that must not have some value if their value
        is unusual.
        """
        known: list[str] = []
        for condition in rule.conditions:
            fact = self._facts.get(condition.fact)
            if fact is None:
                continue
            is_unusual = condition.how == "is not" and fact.value not in self._normal
            if condition.how == "is" or is_unusual:
                known.append(_with_evidence(fact))
        return known

    def _separation(self, rules: Sequence[Rule]) -> str:
        """What would have to be observed: of the facts that tell candidates apart, the one that
        most of them wait for.
        """
        asked = [self._unknown_to(rule) for rule in rules]
        telling = _telling_apart(asked)
        # Rather what a rule asks for than what would contradict it.
        for hows in (("is",), ("is", "is not"), ("not shown",)):
            waiting = Counter[str]()
            for conditions in asked:
                facts = [c.fact for c in conditions if c.how in hows and c.fact in telling]
                waiting.update(dict.fromkeys(facts, 1))
            if waiting:
                ((fact, _),) = waiting.most_common(1)
                return fact_kinds()[fact].observe
        return ""

    def _unknown_to(self, rule: Rule) -> list[Condition]:
        """Its conditions whose facts are not known."""
        conditions = rule.when + rule.unless
        return [condition for condition in conditions if condition.fact not in self._facts]

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
            looks = [fact_kinds()[fact].observe for fact in asked]
            waiting.update(dict.fromkeys(looks, 1))  # one look may show several of its facts
        return waiting.most_common()[0][0] if waiting else ""

    def nearest(self, unknown: Iterable[Symptom]) -> list[str]:
        """Unusual facts first, and of those the ones that rules for these symptoms ask for."""
        asked: set[str] = set()
        for rule in self._of(*unknown):
            asked |= {condition.fact for condition in rule.conditions}
        telling = [fact for fact in self._facts.values() if fact.name not in _OF_EVERY_CASE]
        telling.sort(key=lambda fact: (fact.value in self._normal, fact.name not in asked))
        return [str(fact) for fact in telling[:_MOST_NEAREST]]


def _telling_apart(asked: Sequence[Sequence[Condition]]) -> set[str]:
    """The facts of which candidates ask different things; all that they ask for if there is none.
    ``asked``: each candidate's conditions.
    """
    facts = {condition.fact for conditions in asked for condition in conditions}
    telling = set()
    for fact in facts:
        kinds = {frozenset(c for c in conditions if c.fact == fact) for conditions in asked}
        if len(kinds) > 1:
            telling.add(fact)
    return telling or facts


def _has_rivals(chosen: Sequence[Rule], possible: Sequence[Rule]) -> bool:
    """Whether the evidence does not exclude another cause, including one that is only possible."""
    firm = {rule.cause for rule in chosen if rule.confidence != "possible"}
    known = {rule.cause for rule in chosen}
    return any(rule.cause not in (firm if rule in chosen else known) for rule in possible)


def _about(scene: Scene, findings: Sequence[Finding]) -> dict[str, str]:
    """The line, group and trunk of the deployment that the case is about, and the agents whose legs
    show it.
    """
    about: dict[str, str] = {}
    if scene.line_name:
        about["line"] = scene.line_name
    wanted = (finding.facts.get("wanted") for finding in scene.of("landing"))
    group = next((name for name in wanted if is_group(scene, name)), None)
    if group:
        about["group"] = str(group)
    if scene.trunk:
        about["trunk"] = scene.trunk.name
    agents = _agents_in(scene, findings)
    if agents:
        about["agent"] = " and ".join(agents)
    return about


def _agents_in(scene: Scene, findings: Sequence[Finding]) -> list[str]:
    """The agents' phones at the ends of these findings, each once."""
    agents: dict[str, None] = {}
    for finding in findings:
        for end in ends_of(finding):
            phone = phone_of(end)
            if phone and scene.vantage.role(end) == "agent":
                agents[phone] = None
    return list(agents)


def _without_answer(error: Exception, findings: Sequence[Finding]) -> Diagnosis:
    """A diagnosis that says where the diagnosis itself failed, with the findings that it leaves
    unexplained.
    """
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
