"""The words of facts: ``facts.txt`` has each fact once, with its evidence, as an example shows it.

After an intended change of words, or for a new fact, ``python -m tests.unit.diagnosis.test_words`` writes the file again;
read its diff.
"""

from __future__ import annotations

from pathlib import Path

from tests.unit.diagnosis.examples import EXAMPLES

FILE = Path(__file__).with_name("facts.txt")


def facts() -> dict[str, tuple[str, ...]]:
    """The facts of each example, by its rule."""
    return {expected.rule: expected.example.diagnose().facts for expected in EXAMPLES}


def label(fact: str) -> str:
    return fact.partition(": ")[0]


def test_facts_say_the_words_of_the_file() -> None:
    known = facts()
    lines = [line.partition(" | ")[::2] for line in FILE.read_text(encoding="utf-8").splitlines()]
    assert [fact for rule, fact in lines if fact not in known[rule]] == []
    shown = {label(fact) for told in known.values() for fact in told}
    assert shown == {label(fact) for _, fact in lines}


if __name__ == "__main__":
    first: dict[str, str] = {}
    for rule, told in facts().items():
        for fact in told:
            first.setdefault(label(fact), f"{rule} | {fact}\n")
    FILE.write_text("".join(first.values()), encoding="utf-8")
