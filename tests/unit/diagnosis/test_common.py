"""What the failures of a run have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.diagnosis.common import Judged, common_causes, plain

TRANSPORTS = ("udp", "tcp", "tls")


def cause(name: str, *, candidate: bool = False, **about: str) -> dict[str, Any]:
    return {
        "id": name,
        "title": f"it is {name}",
        "owner": "trunk",
        "candidate": candidate,
        "about": about,
    }


def case(row: str, *causes: dict[str, Any], passed: bool = False, **axes: str) -> Judged:
    name = f"{row}[acme:{'-'.join(axes.values())}]"
    trunk = axes.get("transport", "")
    return Judged(
        name, row, "acme", axes, passed=passed, failed=not passed, causes=causes, trunk=trunk
    )


def decided(*cases: Judged) -> tuple[str, bool]:
    """The only cause that they have in common, and whether it is settled."""
    (found,) = common_causes(cases)
    return found.cause["id"], found.settled


def test_many_failures_with_one_cause_are_one_line() -> None:
    wrong = [
        case("TRANSFER", cause("group-did-wrong", group="billing"), transport=t) for t in TRANSPORTS
    ]
    (found,) = common_causes([*wrong, case("INBOUND", passed=True, transport="udp")])
    assert (found.cause["id"], len(found.cases), found.plain()["rows"]) == (
        "group-did-wrong",
        3,
        ["TRANSFER"],
    )
    assert found.where == ("group billing",)


def test_the_agents_of_failures_are_named_and_of_one_failure_too() -> None:
    (found,) = common_causes([case("FALLBACK", cause("caller-id-lost-on-fallback", agent="Lee"))])
    assert found.where == ("agent Lee",)
    lost = [
        case("FALLBACK", cause("caller-id-lost-on-fallback", agent=name), codec=name)
        for name in ("Lee", "Noor")
    ]
    assert common_causes(lost)[0].where == ("agent Lee and Noor",)


def test_what_only_failures_share_is_told_and_what_passed_cases_share_is_not() -> None:
    wrong = case("INBOUND", cause("certificate-expired"), transport="tls", codec="pcmu")
    right = [case("INBOUND", passed=True, transport=t, codec="pcmu") for t in ("udp", "tcp")]
    (found,) = common_causes([wrong, *right])
    assert found.where == ("transport tls only",)


def test_a_number_refused_in_one_form_alone_is_a_matter_of_its_form() -> None:
    """However sure the case alone was that the number is unknown."""
    national = case(
        "NUMBERFORMATS", cause("number-unknown-at-platform"), transport="udp", form="national"
    )
    (found,) = common_causes(
        [national, case("NUMBERFORMATS", passed=True, transport="udp", form="e164")]
    )
    assert found.cause["id"] == "number-form-refused"
    assert found.because == [
        "NUMBERFORMATS[acme:udp-e164] dialled the same number in E.164, and reached it"
    ]
    assert (
        found.cause["title"]
        == "the platform refuses the number in the form in which it was dialled"
    )
    assert found.plain()["owner"] == "platform routing"
    assert found.plain()["fix"].startswith("Have the platform take")


def test_a_number_refused_in_every_form_is_unknown() -> None:
    national = case("NUMBERFORMATS", cause("number-form-refused"), transport="udp", form="national")
    e164 = case("NUMBERFORMATS", cause("number-unknown-at-platform"), transport="udp", form="e164")
    (found,) = common_causes([national, e164])
    assert (found.cause["id"], len(found.cases)) == ("number-unknown-at-platform", 2)


def test_a_case_that_cannot_decide_has_the_cause_that_others_show() -> None:
    sure = case("REGISTER", cause("firewall-tls-32682"), transport="tls")
    open_ = [cause("route-missing", candidate=True), cause("firewall-tls-32682", candidate=True)]
    (found,) = common_causes([case("INBOUND", *open_, transport="tls"), sure])
    assert (found.cause["id"], len(found.cases), found.settled) == ("firewall-tls-32682", 2, True)
    assert found.because == ["INBOUND[acme:tls] leaves it possible, and other cases show it"]


def lost_on(trunk: str, line: str, *names: str) -> Judged:
    """A call to the AI that did not get there, over that trunk, with the candidates of those names."""
    listed = [cause(name, candidate=True, line=line, trunk=trunk) for name in names]
    return replace(case("INBOUND", *listed, transport=trunk, line=line), reached=lambda: False)


def test_a_failed_registration_shows_why_calls_over_the_same_trunk_fail() -> None:
    registered = case("REGISTER", cause("trunk-inactive", trunk="udp", line="a"), transport="udp")
    calls = [lost_on(trunk, "a", "route-missing", "trunk-inactive") for trunk in ("udp", "tcp")]
    assert [
        (each.cause["id"], each.cases, each.where) for each in common_causes([*calls, registered])
    ] == [
        (
            "trunk-inactive",
            ("REGISTER[acme:udp]", "INBOUND[acme:udp-a]"),
            ("trunk udp",),
        ),
        ("route-missing", ("INBOUND[acme:tcp-a]",), ()),
    ]


def test_where_no_call_over_a_trunk_gets_to_the_ai_the_cause_is_the_trunk_s() -> None:
    calls = [lost_on("udp", line, "route-missing", "trunk-inactive") for line in ("a", "b")]
    (found,) = common_causes(calls)
    assert (found.cause["id"], found.where) == ("trunk-inactive", ("trunk udp",))
    assert found.because == ["no call of 2 numbers gets to the AI over trunk udp"]
    right = replace(case("XEI", passed=True, transport="udp"), reached=lambda: True)
    assert decided(*calls, right) == ("route-missing", True), "a call got there over this trunk"
    assert decided(calls[0], replace(calls[1], axes={}, row="OTHER", trunk="tcp")) == (
        "route-missing",
        False,
    )


def test_a_call_that_reached_the_group_contradicts_its_number_and_not_what_differs_from_call_to_call() -> (
    None
):
    open_ = (
        "group-wrong",
        "another-device-answered",
        "number-unknown-at-platform",
        "nobody-available",
    )
    lost = case(
        "TRANSFER",
        *(cause(name, candidate=True, group="billing") for name in open_),
        transport="udp",
    )
    lost = replace(lost, moment="transfer")
    warm = replace(
        case("WARM", passed=True, transport="udp"), moment="transfer", landed=lambda: {"billing"}
    )
    (found,) = common_causes([lost, warm])
    assert (found.cause["id"], found.settled) == ("another-device-answered", False)
    assert found.because == [
        "WARM[acme:udp] reached the group billing by its number over the same trunk"
    ]
    for other in ({"landed": lambda: {"support"}}, {"moment": "fallback"}, {"trunk": "tls"}):
        (found,) = common_causes([lost, replace(warm, **other)])
        assert (found.cause["id"], found.because) == ("group-wrong", [])


def test_what_passes_with_the_other_codec_fails_for_its_codec() -> None:
    open_ = [cause(name, candidate=True) for name in ("route-missing", "no-g711")]
    wrong = case("INBOUND", *open_, transport="udp", codec="pcma")
    right = case("INBOUND", passed=True, transport="udp", codec="pcmu")
    assert decided(wrong, right) == ("no-g711", True)
    wrong = case(
        "INBOUND", cause("ai-silent", candidate=True), *open_, transport="udp", codec="pcma"
    )
    assert common_causes([wrong, right])[0].cause["id"] == "ai-silent", (
        "it may differ from call to call"
    )


def test_a_trunk_that_carries_other_calls_is_not_closed() -> None:
    open_ = [cause(name, candidate=True) for name in ("firewall-udp-32681", "route-missing")]
    wrong = case("INBOUND", *open_, transport="udp", line="a")
    assert decided(wrong, case("INBOUND", passed=True, transport="udp", line="b")) == (
        "route-missing",
        True,
    )
    (found,) = common_causes([wrong, case("INBOUND", passed=True, transport="tcp", line="b")])
    assert not found.settled


def test_other_cases_that_speak_against_every_cause_decide_nothing() -> None:
    wrong = case("INBOUND", cause("firewall-udp-32681", candidate=True), transport="udp", line="a")
    assert decided(wrong, case("INBOUND", passed=True, transport="udp", line="b")) == (
        "firewall-udp-32681",
        False,
    )


def test_the_plain_form_tells_of_failures_that_nothing_explains() -> None:
    told = plain(
        [case("PRACK", {"id": "unknown"}), case("INBOUND", cause("echo")), case("XEI", passed=True)]
    )
    assert told["failures"] == 2
    assert told["unexplained"] == ["PRACK[acme:]"]
    assert [each["id"] for each in told["causes"]] == ["echo"]


def test_an_e164_case_that_failed_otherwise_decides_nothing() -> None:
    national = case("NUMBERFORMATS", cause("number-form-refused"), transport="udp", form="national")
    e164 = case("NUMBERFORMATS", cause("echo"), transport="udp", form="e164")
    assert [(each.cause["id"], each.because) for each in common_causes([national, e164])] == [
        ("number-form-refused", []),
        ("echo", []),
    ]


def test_attempts_and_sites_are_no_difference_of_the_number() -> None:
    unknown = cause("number-unknown-at-platform")
    national = case(
        "NUMBERFORMATS", unknown, transport="udp", form="national", site="a", attempt="1"
    )
    e164 = case("NUMBERFORMATS", passed=True, transport="udp", form="e164", site="b", attempt="2")
    assert [each.cause["id"] for each in common_causes([national, e164])] == ["number-form-refused"]
