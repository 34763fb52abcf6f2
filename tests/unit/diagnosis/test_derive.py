"""The scene that facts are derived from: the line and the trunk of a case, and the numbers in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.diagnosis.caller_end import is_withheld
from harness.diagnosis.scene import same_number
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import scene_of


@pytest.mark.parametrize("form", ["{}", "{national}", "{subscriber}"])
def test_the_line_is_known_by_the_number_dialled_in_any_form(form: str) -> None:
    example = Example(line="ivr")
    did = example.did
    number = form.format(did, national=did.lstrip("+")[1:], subscriber=did[-7:])
    line = scene_of(example.dials(number=number)).line
    assert line is not None
    assert line[0] == "ivr"


def test_the_line_is_known_by_a_national_number_with_its_trunk_prefix() -> None:
    scene = scene_of(Example(line="ivr").dials(number="02079460123"))
    assert scene.deployment is not None
    lines = scene.deployment.lines
    british = {**lines, "ivr": lines["ivr"].model_copy(update={"did": "+442079460123", "dids": {}})}
    line = replace(scene, deployment=scene.deployment.model_copy(update={"lines": british})).line
    assert line is not None
    assert line[0] == "ivr"


def test_a_short_number_is_no_line_s_number() -> None:
    example = Example(line="ivr")
    assert scene_of(example.dials(number=example.did[-6:])).line is None


def test_where_no_line_s_number_was_dialled_the_case_s_own_is_meant() -> None:
    scene = scene_of(Example().dials(number="+12025550199"))
    assert scene.line is None
    declared = replace(scene, case={**scene.case, "line": "busy"})
    assert declared.line is not None
    assert declared.line[0] == "busy"
    silent = scene_of(Example())
    assert replace(silent, case={**silent.case, "line": "busy"}).line is not None
    assert replace(silent, case={**silent.case, "line": "nowhere"}).line is None


def test_without_a_deployment_there_is_neither_line_nor_trunk() -> None:
    scene = scene_of(Example().dials(), has_deployment=False)
    assert scene.line is None
    assert scene.trunk is None


def test_the_trunk_is_the_one_of_the_case_whatever_its_axes_are() -> None:
    """A stand-in's number registers with digest over a trunk that takes calls by address."""
    digest = scene_of(Example(authentication="digest", transport="tls"))
    assert digest.trunk is not None
    assert digest.trunk.name == "tls-digest"
    other = replace(digest, case={**digest.case, "trunk": "udp-ip-stand-in"}).trunk
    assert other is not None
    assert other.name == "udp-ip-stand-in"
    assert replace(digest, case={**digest.case, "trunk": "of another file"}).trunk is None


def test_axes_that_are_none_are_empty() -> None:
    scene = replace(scene_of(Example()), case={"axes": "udp"})
    assert scene.axes == {}
    assert scene.moment == ""


def test_the_first_of_the_caller_s_legs_is_its_call() -> None:
    later = Example().dials().after(1).dials_too("caller-2")
    call = scene_of(later).call
    assert call is not None
    assert call.leg == "caller.1"


@pytest.mark.parametrize(
    ("header", "withheld"),
    [("Privacy: id", True), ("privacy :  header;user", True), ("Privacy: none", False), ("X-Privacy: id", False)],
)
def test_a_number_is_withheld_by_privacy(header: str, withheld: bool) -> None:
    invite = f"INVITE sip:x@y.example SIP/2.0\r\n{header}"
    sent = Example()
    sent._at_caller("sent", invite)
    assert is_withheld(scene_of(sent)) is withheld
    assert not is_withheld(scene_of(Example().caller_gets(invite)))
    other = Example()
    other._at_caller("sent", invite.replace("INVITE", "MESSAGE"))
    assert not is_withheld(scene_of(other))


def test_only_what_a_role_made_is_found_by_it() -> None:
    scene = scene_of(
        Example().finding("released", "caller.1").finding("released", "stand-in.1").finding("prack", "caller.1")
    )
    assert [f.subject for f in scene.of("released")] == ["caller.1", "stand-in.1"]
    assert [f.subject for f in scene.of("released", role="ai")] == ["stand-in.1"]
    assert [f.check for f in scene.of("prack", "released", role="caller")] == ["released", "prack"]


def test_what_came_after_the_last_finding_is_no_evidence() -> None:
    example = Example(now=0.0, ai="stand-in").dials().answered().ai_gets().finding("prack", "caller.1")
    late = example.after(0.1).ai_gets(call_id="late").state("disconnected", 200)
    scene = scene_of(late)
    assert [seen.message.call_id for seen in scene.invites] == ["at-the-ai"]
    assert [state.state for state in scene.states("caller.1")] == ["confirmed"]
    assert scene.states("caller.2") == []


def test_an_invite_in_a_dialog_or_without_a_readable_to_begins_none() -> None:
    example = Example().ai_gets()
    example._sip("received", "INVITE sip:x SIP/2.0", "INVITE", to="<sip:ai@192.0.2.60>;tag=b")
    example._sip("received", "INVITE sip:x SIP/2.0", "INVITE", to="<<>")
    example._sip("sent", "INVITE sip:x SIP/2.0", "INVITE")
    example._sip("received", "MESSAGE sip:x SIP/2.0", "MESSAGE")
    assert len(scene_of(example).invites) == 1


@pytest.mark.parametrize(
    ("written", "number", "same"),
    [
        ("5550101", "+14155550101", True),
        ("550101", "+14155550101", False),
        ("004155550101", "+4155550101", True),
        ("0114155550101", "+4155550101", True),
        ("00" + "0550101", "+10550101", False),
        ("sip 415-555-0101", "+14155550101", True),
        ("+14155550101", "+14155550101", True),
        ("24155550101", "+14155550101", False),
        ("02079460123", "+442079460123", True),  # with the trunk prefix that most of the world dials
        ("07700 900123", "+447700900123", True),
        ("02079460124", "+442079460123", False),
        ("14155550101", "+442079460123", False),
        ("02079460123", "", False),
    ],
)
def test_seven_digits_of_a_number_are_that_number(written: str, number: str, same: bool) -> None:
    assert same_number(written, number) is same
