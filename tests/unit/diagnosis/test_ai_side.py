"""Facts on what the AI's side saw of the call, and what the probes say of its port."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import call, facts_of
from tests.unit.diagnosis.stories import refused

# -- what the AI's side saw


def test_an_offer_of_no_media_at_all_has_no_g711() -> None:
    """RFC 3264 section 5: zero or more media streams. A platform whose list of codecs has none that it knows sends that."""
    example = refused(Example(), 488, "Not Acceptable", offer="no media")
    assert facts_of(example).value("ai.offer") == "no audio"
    assert [cause.id for cause in example.diagnose().causes] == ["no-g711"]


@pytest.mark.parametrize(
    ("answered", "attempted", "saw"),
    [
        (["main"], [], "answered"),
        (["main", "the phone reception"], [], "answered"),
        (["sales"], [], "another assistant answered"),
        (["main", "sales"], [], "another assistant answered"),
        (["somebody"], [], "answered"),
        ([], ["failed:x"], "refused"),
        ([], ["busy:x"], "refused"),
        ([], ["canceled:x"], "rang"),  # by who called
        ([], ["user-canceled:x"], "rang"),
        ([], ["canceled:x", "failed:x"], "refused"),
        ([], ["no-answer:x"], "rang"),
        ([], ["no-answer:x", "failed:x"], "refused"),
        ([], [], "nothing"),
        (["the phone reception"], [], "nothing"),
    ],
)
def test_what_the_ai_s_side_saw(answered: list[str], attempted: list[str], saw: str) -> None:
    facts = facts_of(call().not_taken(*answered, attempted=attempted))
    assert facts.value("ai.saw") == saw
    assert facts.value("ai.did") == ("another assistant's" if saw == "another assistant answered" else None)


@pytest.mark.parametrize(("reached", "saw"), [(["sales"], "another assistant answered"), ([], "nothing")])
def test_an_ai_that_was_not_tried(reached: list[str], saw: str) -> None:
    assert facts_of(call().finding("route.tried", "the AI", reached=reached)).value("ai.saw") == saw
    assert facts_of(call().finding("route.tried", "the AI", True, reached=reached)).value("ai.saw") is None
    rang = facts_of(call().ai_gets().finding("route.tried", "the AI", reached=reached))
    assert rang.value("ai.saw") == ("rang" if not reached else saw)


@pytest.mark.parametrize(
    ("user", "did"),
    [
        ("+12065550100", "the line's"),
        ("12065550100", "the line's, in another form"),
        ("+12065550106", "another assistant's"),
        ("2065550106", "another assistant's"),
        ("+12025550177", "nobody's"),
        ("", None),
    ],
)
def test_the_number_the_ai_was_asked_for(user: str, did: str | None) -> None:
    assert facts_of(call().finding("route.request_uri", "assistant main", request_user=user)).value("ai.did") == did
    if user:
        assert facts_of(call().ai_gets(did=user)).value("ai.did") == did
        assert facts_of(call().ai_gets(did=user), has_deployment=False).value("ai.did") is None


def test_the_trunk_cannot_be_told_where_two_have_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    example = call().ai_gets()
    assert facts_of(example).value("ai.trunk") == "the right one"
    example._messages[-1]["remote"] = ""
    assert facts_of(example).value("ai.trunk") is None
    again = call().ai_gets()
    trunks = [t.model_copy(update={"termination": again.trunk.termination}) for t in again.deployment.trunks]
    shared = again.deployment.model_copy(update={"trunks": tuple(trunks)})
    monkeypatch.setattr(Example, "deployment", property(lambda _: shared))
    assert facts_of(again).value("ai.trunk") is None


@pytest.mark.parametrize(
    ("remote", "address", "value"),
    [
        ("[2001:db8::1]:5060", "10.0.0.1", "private"),
        ("192.0.2.9:5060", "192.168.1.1", "private"),
        ("192.0.2.9:5060", "169.254.1.1", "private"),
        ("192.0.2.9:5060", "172.15.0.1", "reachable"),
        ("192.0.2.9:5060", "172.16.0.1", "private"),
        ("192.0.2.9:5060", "172.32.0.1", "reachable"),
        ("192.0.2.9:5060", "100.63.0.1", "reachable"),
        ("192.0.2.9:5060", "100.127.0.1", "private"),
        ("192.0.2.9:5060", "100.128.0.1", "reachable"),
        ("sbc.example:5060", "10.0.0.1", None),
    ],
)
def test_which_addresses_are_private(remote: str, address: str, value: str | None) -> None:
    assert facts_of(call().ai_gets(address=address, remote=remote)).value("sdp.to_ai") == value


DIGEST = 'Digest username="x", response="y"'


@pytest.mark.parametrize(
    ("shown", "code", "challenge", "final"),
    [
        ("", 401, "not answered", 401),
        ("", 407, "not answered", 407),
        ("", 403, "none", 403),
        (DIGEST, 401, "credentials refused", 401),
        (DIGEST, 407, "credentials refused", 407),
        (DIGEST, 403, "credentials refused", 403),
        (DIGEST, 402, "none", 402),
        (DIGEST, 404, "none", 404),
        (DIGEST, 400, "none", 400),
        (DIGEST, 406, "none", 406),
        (DIGEST, 408, "none", 408),
        ("", 487, "none", 487),
        ("", 300, "none", 300),
        ("", 200, "none", None),
    ],
)
def test_what_became_of_a_challenge(shown: str, code: int, challenge: str, final: int | None) -> None:
    facts = facts_of(call(authentication="digest").ai_gets(authorization=shown).ai_answers(code))
    assert facts.value("ai.challenge") == challenge
    assert facts.value("ai.code") == final
    assert facts_of(call()).value("ai.challenge") is None
