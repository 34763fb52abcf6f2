"""Set-ups that are like no other: names of every kind, agents of several groups, numbers from a
spreadsheet.
"""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parent / "deployments"
ROWS = ("TD-INBOUND", "TD-TRANSFER-BLIND", "TD-TRANSFER-WARM", "TD-OUTBOUND-IVR", "PEOPLE")


@pytest.fixture
def customer(tree: Any) -> Path:
    shutil.copytree(FILES, tree.path, dirs_exist_ok=True)
    path: Path = tree.path / "mueller.toml"
    return path


def verified(tree: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, output = tree.harness(
        "verify", *arguments, "-n", "3", "--reports", str(tree.path / "reports")
    )
    found = tree.summary()
    assert found["planned"]["missing"] == found["planned"]["unplanned"] == [], output
    return code, found


@pytest.mark.nightly
def test_names_with_spaces_and_foreign_letters_work_everywhere(tree: Any, customer: Path) -> None:
    code, summary = verified(tree, str(customer), *(f"--row={row}" for row in ROWS))
    rows = {row: (counts["passed"], counts["cases"]) for row, counts in summary["rows"].items()}
    assert (code, rows) == (
        0,
        {
            "TD-INBOUND": (3, 3),
            "TD-TRANSFER-BLIND": (4, 4),
            "TD-TRANSFER-WARM": (2, 2),
            "TD-OUTBOUND-IVR": (3, 3),
            "PEOPLE": (2, 2),
        },
    )


@pytest.mark.nightly
def test_phone_names_cannot_escape_the_run_directory(tree: Any, customer: Path) -> None:
    """An AI of which the record alone tells: its caller speaks words from files as well, which are
    named as recordings are.
    """
    text = customer.read_text()
    for phone, other in (
        ("caller-1", "../../out"),
        ("mobile phone", "/a/b.1"),
        ("shared", "..\\\\x"),
    ):
        text = text.replace(f"[phones.{phone}]", f'[phones."{phone}"]').replace(
            f'"{phone}"', f'"{other}"'
        )
    text = re.sub(r"^witness = .*$", 'witness = ["record"]', text, flags=re.MULTILINE)
    customer.write_text(text + '\n[expect]\nstrength = "confirmed"\n')
    before = outside(tree)
    code, summary = verified(
        tree, str(customer), "--row=TD-INBOUND", "--row=PEOPLE", "--row=TD-TRANSFER-BLIND"
    )
    assert (code, summary["passed"], summary["cases"]) == (0, 9, 9), summary["causes"]
    assert outside(tree) == before
    spoken = [
        path.relative_to(tree.run_directory).parts
        for path in tree.run_directory.rglob("*quiet*.flac")
    ]
    named = {(parts[0], parts[2].partition("-hello-en-")[0]) for parts in spoken}
    assert named == {
        ("cases", "%2E.%2F..%2Fout.1"),
        ("cases", "%2Fa%2Fb.1.1"),
    }  # callers take turns


def outside(tree: Any) -> set[Path]:
    """What there is beside the reports, and beside what is for the time being."""
    return {
        path
        for path in tree.path.rglob("*")
        if path.relative_to(tree.path).parts[0] not in ("reports", "tmp")
    }


@pytest.mark.nightly
def test_wrong_group_is_detected_when_groups_share_agents(tree: Any, customer: Path) -> None:
    code, summary = verified(tree, str(customer), "--row=TD-TRANSFER-BLIND", "--fault=group-wrong")
    assert (code, summary["passed"], summary["failed"]) == (1, 0, 4)


def test_missing_features_are_listed_and_can_be_required(tree: Any, customer: Path) -> None:
    code, summary = verified(tree, str(customer), "--row=PEOPLE", "--require=TD-SKILLS-LANGUAGE")
    assert code == 1, "a row that has to be run was not"
    assert summary["required_missing"] == [
        "Müller & Söhne: TD-SKILLS-LANGUAGE (no number is routed by language)"
    ]
    why = {left["row"]: left["why"] for left in summary["left_out"]}
    assert (
        why["TD-FALLBACK-DOWN"]
        == "not observable: no number's trunk leads to a host that does not answer"
    )
    assert why["TD-INBOUND"] == "not asked for in this run"


def confused(path: Path, assistant: str, **instead: str) -> Path:
    """The same, where the AI makes another handover than the one it is asked for."""
    lines = [f"{json.dumps(asked)} = {json.dumps(made)}\n" for asked, made in instead.items()]
    path.write_text(
        path.read_text() + f"\n[simulated.assistants.{assistant}.confuses]\n" + "".join(lines)
    )
    return path


@pytest.mark.nightly
def test_assistant_hands_over_to_several_groups(tree: Any, customer: Path) -> None:
    """Cold by a digit, cold and warm by words, a recording among them, and after a question of the
    AI's; groups share agents.
    """
    rows = ("--row=TD-TRANSFER-BLIND", "--row=TD-TRANSFER-WARM", "--row=HANGUP-AGENT")
    code, summary = verified(tree, str(customer.with_name("handovers.toml")), *rows)
    counted = {row: (counts["passed"], counts["cases"]) for row, counts in summary["rows"].items()}
    assert (code, counted) == (
        0,
        {"TD-TRANSFER-BLIND": (3, 3), "TD-TRANSFER-WARM": (3, 3), "HANGUP-AGENT": (1, 1)},
    )


@pytest.mark.nightly
def test_confused_handover_is_detected_though_its_agents_belong_to_the_right_group(
    tree: Any, customer: Path
) -> None:
    """Who is in "Umzüge" is in "Rechnung & Vertrag", too, so that nobody else rings: the AI's side
    tells.
    """
    wrong = {"Rechnung": "umzug", "Störung melden": "Rechnung"}
    path = confused(customer.with_name("handovers.toml"), "Zentrale", **wrong)
    code, summary = verified(tree, str(path), "--row=TD-TRANSFER-BLIND", "--row=TD-TRANSFER-WARM")
    assert (code, summary["passed"], summary["failed"]) == (1, 3, 3)
    assert [(cause["id"], cause["failures"]) for cause in summary["causes"]] == [
        ("handover-confused", 3)
    ]


def test_topics_of_one_number_are_distinguished(tree: Any, customer: Path) -> None:
    rows = ("--row=GL-TRANSFER-PLAIN", "--row=GL-TRANSFER-TOPIC")
    code, summary = verified(tree, str(customer.with_name("topics.toml")), *rows)
    counted = {row: (counts["passed"], counts["cases"]) for row, counts in summary["rows"].items()}
    assert (code, counted) == (0, {"GL-TRANSFER-PLAIN": (1, 1), "GL-TRANSFER-TOPIC": (2, 2)})
    said = [left["why"] for left in summary["left_out"] if left["row"] == "GL-TRANSFER-PLAIN"]
    assert said == ["assistants.Nora.handovers.manager: no row proves a warm handover"]


@pytest.mark.nightly
def test_wrong_topic_is_detected_when_topics_share_an_agent(tree: Any, customer: Path) -> None:
    path = confused(customer.with_name("topics.toml"), "Nora", money="sizes", sizes="")
    code, summary = verified(tree, str(path), "--row=GL-TRANSFER-TOPIC")
    assert (code, summary["failed"]) == (1, 2)
    assert [(cause["id"], cause["failures"]) for cause in summary["causes"]] == [
        ("handover-confused", 2)
    ]


PEOPLE = ("PEOPLE", "GROUP-RINGING", "CLOSED", "CLOSED-VOICEMAIL", "VOICEMAIL")


def test_choices_of_one_menu_are_told_apart(tree: Any, customer: Path) -> None:
    """Digits that lead to the wrong assistant, or to the wrong group, fail in their own case only."""
    wrong = (
        "--fault=route-wrong-did@Auswahl press 2.star",
        "--fault=group-wrong@Auswahl press 2.1",
    )
    code, summary = verified(tree, str(customer), "--row=TD-SKILLS-MENU", "--row=PEOPLE", *wrong)
    found = [(cause["id"], cause["failures"]) for cause in summary["causes"]]
    assert (code, summary["passed"], sorted(found)) == (
        1,
        2,
        [("group-wrong", 1), ("route-wrong-did", 1)],
    )


def failed_checks(tree: Any) -> set[tuple[str, str]]:
    """(row, check) of every finding that failed."""
    found: set[tuple[str, str]] = set()
    for path in tree.run_directory.glob("cases/*/case.json"):
        case = json.loads(path.read_text())
        for finding in case["end"]["findings"]:
            if finding["verdict"] == "failed":
                found.add((case["row"], finding["check"]))
    return found


def out_of_hours(tmp: Path) -> Path:
    """The customer's file, with hours in which the number is closed whenever this runs."""
    day = (datetime.now(UTC) + timedelta(days=3)).strftime("%a").lower()
    text = (FILES / "people.toml").read_text().replace("mon-fri 08:00-18:00", f"{day} 08:00-18:00")
    path = tmp / "people.toml"
    path.write_text(text)
    return path


@pytest.mark.nightly
def test_groups_with_turns_external_phones_absent_agents_and_hours_pass(tree: Any) -> None:
    code, summary = verified(
        tree, str(out_of_hours(tree.path)), *(f"--row={row}" for row in PEOPLE)
    )
    rows = {row: (counts["passed"], counts["cases"]) for row, counts in summary["rows"].items()}
    once = dict.fromkeys(("CLOSED", "CLOSED-VOICEMAIL", "VOICEMAIL"), (1, 1))
    assert (code, rows) == (0, {"PEOPLE": (2, 2), "GROUP-RINGING": (2, 2), **once})


@pytest.mark.nightly
def test_platform_set_up_differently_fails_the_group_rows(tree: Any) -> None:
    """All ring at once, who is away as well; telephones are shown the caller; the number is open on
    a Sunday; no machine is on.
    """
    path = out_of_hours(tree.path)
    path.write_text(
        path.read_text()
        + '[simulated.groups."*"]\nrings = "all"\nexternal = { shows = "original", accept = "5" }\nvoicemail = false\n'
        + "[simulated.lines.Sprechstunde]\nopen = true\n"
    )
    code, _ = verified(tree, str(path), *(f"--row={row}" for row in PEOPLE))
    found = failed_checks(tree)
    assert code == 1
    assert ("GROUP-RINGING", "landing.turn") in found, "they ring before their turn"
    assert ("PEOPLE", "landing.others") in found, "who is away rings"
    assert ("CLOSED", "landing") in found, "the number is not closed"
    assert {("VOICEMAIL", "landing"), ("CLOSED-VOICEMAIL", "voicemail")} <= found, (
        "no agent and no machine answers"
    )
