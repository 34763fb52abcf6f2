"""A customer's own integration, as an installed package has it: its title, guide section, cause,
rule and fix text are in what a failure of its deployment says.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.pages import files

INIT = """
from pathlib import Path

from harness.integrations import shared
from harness.integrations.base import Integration

INTEGRATION = Integration(
    name="acme-cx",
    title="Acme CX",
    guide="https://acme.example/docs/sip",
    diagnosis=Path(__file__).with_name("diagnosis.toml"),
    rows=(shared.inbound("ACME", proves="The AI answers.", source="guide, calls", menus=True),),
)
"""
DIAGNOSIS = """
[sections]
"troubleshooting" = "when-calls-fail"
"privacy" = "caller-privacy"

[fix]
from-anonymous = "In Acme CX, open Trunks and untick Hide caller."

[cause.privacy-plan]
title = "the tenant's privacy plan hides callers"
issue = "Callers are hidden"
owner = "trunk"
fix = "Ask {platform} to move the tenant to another privacy plan."
guide = "privacy"

[rule."acme.privacy-plan"]
cause = "privacy-plan"
symptoms = ["caller_id.ai"]
needs = ["caller_id.ai = anonymous"]
confidence = "likely"
because = "the AI's call shows no caller, as under a privacy plan"
"""
ENTRY_POINTS = "[call_verification.integrations]\nacme-cx = acme_cx:INTEGRATION\n"
METADATA = "Metadata-Version: 2.1\nName: acme-cx\nVersion: 1.0\n"

OWN = ("privacy plan hides callers", "Ask Acme CX to move the tenant", "#caller-privacy")
SHARED = ("anonymous From", "In Acme CX, open Trunks and untick Hide caller.", "#when-calls-fail")


def install(packages: Path) -> None:
    """The package as pip would install it."""
    for name, text in {
        "acme_cx/__init__.py": INIT,
        "acme_cx/diagnosis.toml": DIAGNOSIS,
        "acme_cx-1.0.dist-info/METADATA": METADATA,
        "acme_cx-1.0.dist-info/entry_points.txt": ENTRY_POINTS,
    }.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(text, encoding="utf-8")


def deployment() -> str:
    """The deployment of docs/new-integration.md, of this integration."""
    page = files(ROOT / "docs" / "new-integration.md")["acme.toml"]
    return page.replace('integration = "acme"', 'integration = "acme-cx"')


def words(page: str) -> str:
    return " ".join(re.sub(r"<(?!a )[^>]*>", "", page).split())


def test_own_integrations_title_cause_fix_and_guide_section_are_shown(tree: Any) -> None:
    install(tree.path / "packages")
    (tree.path / "acme.toml").write_text(deployment(), encoding="utf-8")

    def harness(*arguments: str) -> tuple[int, str]:
        packages = str(tree.path / "packages")
        process = tree.start_harness(*arguments, PYTHONPATH=packages, COLUMNS="400")
        code, output = tree.finished(process)
        return code, " ".join(output.split())

    verify = ("verify", "acme.toml", "--row=ACME-INBOUND", "-n1")
    code, output = harness(*verify, "--fault=from-anonymous")
    assert code == 1, output

    run = str(tree.run_directory)
    code, explained = harness("explain", run, "ACME-INBOUND", "--all")
    assert code == 0, explained
    harness("signoff", run, "--no-pdf")
    report, signoff = (
        words((tree.run_directory / name).read_text(encoding="utf-8"))
        for name in ("report.html", "signoff.html")
    )
    for text in (*OWN, *SHARED):
        assert text in explained
        assert text in report
        assert text in signoff
    assert "Simulated Acme CX with" in signoff
    assert "acme-lab: Acme CX, kind simulated" in signoff
    assert "Acme CX trunk" in report
    junit = (tree.run_directory / "junit.xml").read_text(encoding="utf-8")
    assert '<testsuite name="Acme CX"' in junit
    assert 'classname="Acme CX.ACME-INBOUND"' in junit
    for path in (tree.run_directory / "allure-results").glob("*-result.json"):
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
        shown = {one["value"] for one in labels if one["name"] in ("epic", "parentSuite")}
        assert shown == {"Acme CX"}


def test_mistake_in_an_own_integrations_table_ends_the_run_before_any_call(tree: Any) -> None:
    install(tree.path / "packages")
    table = tree.path / "packages" / "acme_cx" / "diagnosis.toml"
    table.write_text(DIAGNOSIS.replace("from-anonymous =", "from-anonymus ="), encoding="utf-8")
    (tree.path / "acme.toml").write_text(deployment(), encoding="utf-8")
    process = tree.start_harness(
        "verify", "acme.toml", "-n1", PYTHONPATH=str(tree.path / "packages")
    )
    code, output = tree.finished(process)
    assert code == 2, output
    assert f"{table}: fix from-anonymus: no cause 'from-anonymus'; did you mean" in output
