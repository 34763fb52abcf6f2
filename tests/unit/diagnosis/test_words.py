"""What a diagnosis says to people, word by word: ``diagnoses.txt`` holds the answer to every example, and the facts it stands on.

After a change of the words that is meant, or with a new example, ``python -m tests.unit.diagnosis.test_words`` writes the file
again; read its diff.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.diagnosis import Diagnosis, Visibility
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.examples import EXAMPLES
from tests.unit.diagnosis.leg_examples import LEGS
from tests.unit.diagnosis.own_examples import OWN

FILE = Path(__file__).with_name("diagnoses.txt")
STORIES = {expected.rule: expected.example for expected in (*EXAMPLES, *LEGS, *OWN)}
#: What the deployment file says, which every entry would repeat.
DEPLOYMENT = ("the platform: ", "the trunk's transport: ", "the trunk's authentication: ")
LESS: tuple[Visibility, ...] = ("caller+agents", "caller")


def told(example: Example) -> Iterator[str]:
    """The whole answer, and what those with less to see take for another fact."""
    whole = example.diagnose()
    yield from answer(whole)
    yield from (f"  {fact}" for fact in whole.facts if not fact.startswith(DEPLOYMENT))
    before = whole
    for visibility in LESS:
        seen = example.diagnose(visibility)
        yield f" from {visibility}, {len(seen.facts)} facts: {seen.headline or 'nothing failed'}"
        yield from (f"  {fact}" for fact in seen.facts if fact not in before.facts)
        before = seen


def answer(diagnosis: Diagnosis) -> Iterator[str]:
    """Its causes, and what nothing explains."""
    for cause in diagnosis.causes:
        about = ", ".join(f"{what} {name}" for what, name in cause.about.items())
        yield f" {cause.confidence}: {cause.id} by {cause.rule}, about {about}"
        yield from (f"   shown by {line.partition(' (')[0]}" for line in cause.evidence)
        if cause.separating_observation:
            yield f"   settled when you {cause.separating_observation}"
    yield from (f" unexplained: {line}" for line in diagnosis.unexplained)
    if diagnosis.next_look:
        yield f" next: {diagnosis.next_look}"


def entry(name: str) -> str:
    """What the file has of one example."""
    return "\n".join([name, *told(STORIES[name])])


@cache
def kept() -> dict[str, str]:
    """The file's entries by name."""
    entries = FILE.read_text(encoding="utf-8").rstrip().split("\n\n")
    return {text.partition("\n")[0]: text for text in entries}


@pytest.mark.parametrize("name", STORIES)
def test_the_words_are_those_of_the_file(name: str) -> None:
    assert entry(name) == kept()[name]


def test_the_file_has_no_other_entries() -> None:
    assert list(kept()) == list(STORIES)


if __name__ == "__main__":
    FILE.write_text("\n\n".join(map(entry, STORIES)) + "\n", encoding="utf-8")
