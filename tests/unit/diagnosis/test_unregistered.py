"""Why a REGISTER got no answer, or was refused, in the forms that registrars of other makes give it."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import from_outside, register, unregistered

CREDENTIALS = 'Digest username="{user}", realm="sbc.example", nonce="n{n}", response="r"'


def registers(*answers: str, code: int = 401, shows: bool = True, **answer: str) -> Example:
    """A REGISTER without credentials, then one with (or without) them, and what each was answered with."""
    example = register(code, "Unauthorized").sip_number()
    for number, status in enumerate(answers, start=1):
        told = {"number": str(number)}
        if shows and number > 1:
            told["Authorization"] = CREDENTIALS.format(user=example.trunk.username, n=number)
        example._sip("sent", "REGISTER sip:sbc.example SIP/2.0", "REGISTER", **told)
        example._sip("received", f"SIP/2.0 {status}", "REGISTER", number=str(number), **answer)
    return example


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_an_sbc_that_answers_us_may_drop_what_comes_from_synthflow_s_address(transport: str) -> None:
    """As Kamailio (drop), Oracle's and Ribbon's access lists do with who is not on them; a firewall between the two does, too."""
    example = register(0, transport=transport).sip_number()
    assert named(example)[:2] == [("synthflow-ip-not-allowed", "likely"), ("registration-unanswered", "possible")]
    assert {cause for cause, _ in named(example)[2:]} >= {
        f"firewall-{transport}-{32682 if transport == 'tls' else 32681}"
    }


def test_an_sbc_may_drop_what_comes_from_an_address_that_is_not_allowed() -> None:
    """Where it is to refuse it; the port was asked from the address that is allowed."""
    assert named(from_outside()) == [("registration-unanswered", "likely")]
    assert "not allowed" in from_outside().diagnose().causes[0].because


def test_from_our_own_address_it_is_the_method_that_is_dropped() -> None:
    assert named(register(0, ai="stand-in", authentication="ip")) == [("registration-unanswered", "certain")]


@pytest.mark.parametrize("reach", ["silent", "refuses"])
@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_port_that_does_not_answer_us_may_have_nobody_behind_it(reach: str, transport: str) -> None:
    (first, *_) = named(
        unregistered(reach, 503 if reach == "refuses" else 0, "Connection refused", transport=transport)
    )
    assert first[0].startswith(f"firewall-{transport}-")
    assert first[1] == "likely"


@pytest.mark.parametrize("written", ["sbc.platform.example", "SBC.platform.example:5060", "sip:sbc.platform.example"])
def test_a_name_and_an_address_may_be_one_host(written: str) -> None:
    """The deployment file has the address, Synthflow the name, which nobody looks up afterwards."""
    example = register(0).sip_number(termination_uri=written)
    assert facts_of(example).value("registration.target") is None
    assert ("termination-uri-wrong", "certain") not in named(example)


@pytest.mark.parametrize("form", ["sip:{}", "sips:{};transport=tls", "<sip:{}>", "{}"])
def test_a_termination_uri_is_one_however_it_is_written(form: str) -> None:
    example = register(0)
    told = form.format(example.trunk.termination)
    assert facts_of(example.sip_number(termination_uri=told)).value("registration.target") == "the Termination URI"


def test_a_challenge_that_nobody_answers_says_nothing_of_the_password() -> None:
    """No password is entered, or the phone does not know the algorithm."""
    example = registers("401 Unauthorized", "401 Unauthorized", shows=False)
    assert facts_of(example).value("registration.challenged") == "never answered"
    assert named(example) == [("password-wrong", "likely")]
    assert "no REGISTER with credentials" in example.diagnose().causes[0].because


def test_only_words_about_the_password_leave_no_other_cause() -> None:
    """Registrars that hide from guessers who is known, as Asterisk does, challenge an unknown user as often as a wrong password."""
    bare = registers("401 Unauthorized", "401 Unauthorized")
    assert named(bare) == [("password-wrong", "likely")]
    assert "still has the user" in bare.diagnose().causes[0].fix
    assert named(registers("401 Unauthorized", "401 Wrong password")) == [("password-wrong", "certain")]
    assert named(registers("401 Unauthorized", "403 Wrong password", code=403)) == [("password-wrong", "certain")]


def test_a_nonce_that_is_always_too_old_speaks_for_the_password() -> None:
    """RFC 7616 section 3.3: stale is said of a digest that is right but for its nonce."""
    challenge = 'Digest realm="sbc.example", nonce="m", stale=TRUE'
    example = registers("401 Unauthorized", "401 Unauthorized", WWW_Authenticate=challenge)
    assert named(example) == [("registration-refused", "likely")]
    another = registers("401 Unauthorized", "401 Unauthorized", WWW_Authenticate=challenge)
    assert named(another.sip_number(username="another")) == [("registration-refused", "likely")], (
        "whoever's digest it is"
    )
    once = registers("401 Unauthorized", "403 Forbidden", code=403, WWW_Authenticate=challenge)
    assert named(once) == [("password-wrong", "likely")], "the last answer counts"


def test_an_unknown_user_is_certain_only_where_it_is_another_than_the_trunk_s() -> None:
    assert named(register(403, "Unknown user")) == [("username-wrong", "likely")]


@pytest.mark.parametrize(
    "phrase", ["Domain not found", "Invalid domain", "Unknown Domain", "Domain is not served here"]
)
def test_a_registrar_that_serves_another_domain_was_asked_by_a_wrong_name(phrase: str) -> None:
    assert named(register(403, phrase).sip_number(termination_uri="wrong.example")) == [
        ("termination-uri-wrong", "likely")
    ]
    assert named(register(403, phrase).sip_number()) == [("registration-refused", "likely")]
