"""Attacks on the rules of which targets may be called."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import from_plain, to_plain
from harness.deployment.safety import Guard, check_headers, numbers_of
from harness.errors import DeploymentError, RefusedError, WrongTargetError
from tests.unit.safety.conftest import HOST, Lab


@pytest.mark.parametrize(
    "uri",
    [
        f"sip:+13125550100@{HOST}",  # the line's first number
        f"sip:+13125550101@{HOST}",  # and the one on the second trunk
        f"sip:13125550100@{HOST}",
        f"sip:3125550100@{HOST}",  # US national form
        "tel:+13125550100",
        "tel:+1-312-555-0100",
        "tel:+1(312)555.0100",
        f"sip:%2B13125550100@{HOST}",
        f"sip:+18155550101@{HOST}",  # a group
        "sip:+18155550101@127.9.9.1:5060;transport=tcp",  # at the platform's own address
        f"sip:+12065550100@{HOST}",  # an assistant
        f"sip:+14155550101@{HOST}",  # a harness phone
        f"sip:+17735550199@{HOST}",
        f"sip:agent-billing@{HOST}",
        f"sips:+13125550100@{HOST}",
        f"sip:+18155550101@{HOST}?X-Gladly-Routing-Selector=billing",
        f"sip:+18155550101@{HOST};user=phone;lr",
        f"<sip:+18155550101@{HOST}>",
        f'"Billing" <sip:+18155550101@{HOST};transport=tls>;method=INVITE',
    ],
)
def test_numbers_of_the_deployment_may_be_called(lab: Lab, uri: str) -> None:
    Guard(lab())(uri)


def test_deployment_without_an_unassigned_number(lab: Lab) -> None:
    guard = Guard(lab(numbers={}))
    guard(f"sip:+13125550100@{HOST}")
    for uri in (f"sip:+17735550199@{HOST}", f"sip:{HOST}", f"sip:None@{HOST}"):
        with pytest.raises(RefusedError, match="is no number of lab"):
            guard(uri)


@pytest.mark.parametrize(
    "uri",
    [
        f"sip:+13125550102@{HOST}",  # the number after the block
        f"sip:+13125550110@{HOST}",
        f"sip:911@{HOST}",
        f"sip:112@{HOST}",
        f"sip:999@{HOST}",
        f"sip:%39%31%31@{HOST}",  # 911, escaped
        f"sip:٩١١@{HOST}",  # 911 in Arabic digits, which number libraries accept
        f"sip:+１３１２５５５０１００@{HOST}",  # a listed number in full-width digits
        "tel:911",
        "tel:9-1-1",
        "tel:911;phone-context=+1",
        "tel:+13125550100;phone-context=+1",
        "tel:+13125550100;postd=ppp911",
        "tel:+13125550100p911",
        f"sip:+13125550100,911@{HOST}",
        f"sip:+13125550100;ext=911@{HOST}",
        f"sip:+13125550100;postd=911@{HOST}",
        f"sip:+13125550100%00911@{HOST}",
        f"sip:911:+13125550100@{HOST}",
        f"sip:+13125550100:911@{HOST}",
        f"sip:0013125550100@{HOST}",
        f"sip:01113125550100@{HOST}",
        f"sip:9,13125550100@{HOST}",
        f"sip:*67+13125550100@{HOST}",
        f"sip:+19005550100@{HOST}",
        f"sip:+13125550100@{HOST}@evil.example",
        "sip:+13125550100@evil.example",
        "sip:+13125550100@127.0.0.1",
        f"sip:+13125550100@{HOST};maddr=203.0.113.9",
        f"sip:+13125550100@{HOST};method=REGISTER",
        f"sip:+13125550100@{HOST}?Route=%3Csip:911%40evil.example%3E",
        f"sip:+13125550100@{HOST}?To=sip:911%40evil.example",
        f"sip:+13125550100@{HOST}?X-Note=a%0D%0ARoute:%20%3Csip:evil.example%3E",
        f"sip:@{HOST}",
        f"sip:{HOST}",
        "http://evil.example/+13125550100",
        "urn:service:sos",
        "911",
        "+13125550100",
        "",
        "sip:",
        f"<sip:+13125550100@{HOST}",
        f"<sip:911@{HOST}>, <sip:+13125550100@{HOST}>",
    ],
)
def test_other_targets_are_refused(lab: Lab, uri: str) -> None:
    with pytest.raises(RefusedError):
        Guard(lab())(uri)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+19005550100", "premium"),
        ("+13129765550", "premium"),
        ("+18765550100", "JM"),  # same country code, foreign tariff
        ("+14165550100", "CA"),
        ("+442079460100", "GB"),
        ("+870773111632", "no country"),
        ("+979123456789", "premium"),
        ("+49112", "emergency"),
        ("+4499912", "emergency"),
    ],
)
@pytest.mark.parametrize(
    "role", ["lines__inbound__did", "groups__billing__did", "phones__caller__number"]
)
def test_listed_number_is_still_held_to_the_rules(
    lab: Lab, number: str, why: str, role: str
) -> None:
    guard = Guard(lab(**{role: number}))
    with pytest.raises(RefusedError, match=why):
        guard(f"sip:{number}@{HOST}")
    with pytest.raises(RefusedError, match=why):
        guard.number(number)


def test_toll_free_number_belongs_to_all_its_countries(lab: Lab) -> None:
    """phonenumbers assigns North American toll-free numbers to the United States."""
    toll_free = "+18885550123"
    Guard(lab(region="CA", groups__billing__did=toll_free))(f"sip:{toll_free}@{HOST}")
    with pytest.raises(RefusedError, match="belongs to US, and the deployment to CA"):
        Guard(lab(region="CA", groups__billing__did="+12065550123"))(f"sip:+12065550123@{HOST}")


@pytest.mark.parametrize(
    "number", ["+19005550100", "+18765550100", "+442079460100", "+13129765550"]
)
def test_exception_allows_one_number(lab: Lab, number: str) -> None:
    deployment = lab(groups__billing__did=number, safety__allow=[number])
    Guard(deployment)(f"sip:{number}@{HOST}")
    with pytest.raises(RefusedError):
        Guard(deployment)(f"sip:{number[:-1]}9@{HOST}")


def test_exception_adds_no_number(lab: Lab) -> None:
    with pytest.raises(RefusedError, match="no number of lab"):
        Guard(lab(safety__allow=["+18155559999"]))(f"sip:+18155559999@{HOST}")


@pytest.mark.parametrize("user", ["911", "112", "999", "9115550100"])
def test_emergency_numbers_have_no_exception(lab: Lab, user: str) -> None:
    deployment = lab(phones__billing__user=user, safety__allow=[user] if len(user) < 9 else [])
    with pytest.raises(RefusedError, match="emergency"):
        Guard(deployment)(f"sip:{user}@{HOST}")


def test_emergency_number_in_e164_has_no_exception(lab: Lab) -> None:
    with pytest.raises(RefusedError, match="emergency"):
        Guard(lab(groups__billing__did="+49112", safety__allow=["+49112"]))(f"sip:+49112@{HOST}")


def test_extension_beginning_like_an_emergency_number_needs_an_exception(lab: Lab) -> None:
    """Private exchanges have such extensions, but some networks dial the emergency number at once."""
    with pytest.raises(
        RefusedError, match=r"begins with an emergency number \(safety.allow may name it\)"
    ):
        Guard(lab(region="DE", phones__billing__user="1120"))(f"sip:1120@{HOST}")
    Guard(lab(region="DE", phones__billing__user="1120", safety__allow=["1120"]))(
        f"sip:1120@{HOST}"
    )
    with pytest.raises(RefusedError, match="112 is an emergency number;"):
        Guard(lab(region="DE", phones__billing__user="112", safety__allow=["112"]))(
            f"sip:112@{HOST}"
        )


@pytest.mark.parametrize("user", ["411", "*72", "#31#", "22000"])
def test_short_codes_need_an_exception(lab: Lab, user: str) -> None:
    with pytest.raises(RefusedError, match="short code"):
        Guard(lab(phones__billing__user=user))(f"sip:{user.replace('#', '%23')}@{HOST}")
    Guard(lab(phones__billing__user=user, safety__allow=[user]))(
        f"sip:{user.replace('#', '%23')}@{HOST}"
    )


@pytest.mark.parametrize("extension", ["0", "201", "2000", "4711", "1120"])
def test_extension_may_be_a_refer_target_though_no_harness_phone_may_dial_it(
    lab: Lab, extension: str
) -> None:
    guard, uri = (
        Guard(lab(groups__billing={"user": extension, "agents": ["billing"]})),
        f"sip:{extension}@{HOST}",
    )
    guard.refer(uri)
    with pytest.raises(RefusedError, match=r"short code|begins with an emergency number"):
        guard(uri)


def test_emergency_number_is_no_refer_target(lab: Lab) -> None:
    with pytest.raises(RefusedError, match="emergency"):
        Guard(lab(groups__billing={"user": "911", "agents": ["billing"]})).refer(f"sip:911@{HOST}")


def test_extension_of_a_phone_may_be_called(lab: Lab) -> None:
    Guard(lab(phones__billing__user="70014001"))(f"sip:70014001@{HOST}")


def test_foreign_number_has_no_ambiguous_national_form(lab: Lab) -> None:
    """+34 911 234 567, allowed on purpose, is 911 to a switch in the United States once its prefix
    is gone.
    """
    guard = Guard(lab(groups__billing__did="+34911234567", safety__allow=["+34911234567"]))
    guard(f"sip:+34911234567@{HOST}")
    for digits in ("911234567", "0034911234567", "911"):
        with pytest.raises(RefusedError):
            guard(f"sip:{digits}@{HOST}")


def test_phone_abroad_dials_no_national_form(lab: Lab) -> None:
    """Its own network interprets the digits: 911 234 567 is Spanish, and an emergency call in the
    United States.
    """
    swiss, spanish = (
        lab(region="CH", groups__billing__did="+41441234567"),
        lab(region="ES", groups__billing__did="+34911234567"),
    )
    for deployment, digits, abroad in ((swiss, "0441234567", "DE"), (spanish, "911234567", "US")):
        Guard(deployment)(f"sip:{digits}@{HOST}")
        with pytest.raises(RefusedError, match="is no number of"):
            Guard(deployment, abroad)(f"sip:{digits}@{HOST}")
        Guard(deployment, abroad)(f"sip:{deployment.groups['billing'].did}@{HOST}")


def test_number_without_plus_must_not_mean_an_emergency(lab: Lab) -> None:
    guard = Guard(lab(groups__billing__did="+911145550100", safety__allow=["+911145550100"]))
    guard(f"sip:+911145550100@{HOST}")
    with pytest.raises(RefusedError):
        guard(f"sip:911145550100@{HOST}")


@pytest.mark.parametrize(
    "place",
    ["sbc-2.acme.example", "SBC-2.acme.example:5080", "[2001:DB8::7]", "[2001:db8::7]:5080"],
)
def test_safety_hosts_adds_a_host(lab: Lab, place: str) -> None:
    uri = f"sip:+18155550101@{place}"
    with pytest.raises(RefusedError, match=r"safety\.hosts"):
        Guard(lab())(uri)
    Guard(lab(safety__hosts=[place]))(uri)


def test_rules_survive_serialisation(lab: Lab) -> None:
    deployment = from_plain(
        to_plain(lab(safety__allow=["+18765550100"], groups__billing__did="+18765550100"))
    )
    Guard(deployment)(f"sip:+18765550100@{HOST}")


def test_invalid_entry_in_allow_is_refused(lab: Lab) -> None:
    for nonsense in ("*", "+", ".*", "everything", "+1", "sip:+13125550100@x"):
        with pytest.raises((DeploymentError, ValueError)):
            lab(safety__allow=[nonsense])


_USERS = "0123456789+*#,;pw.-()% \r\n\0٩"


@st.composite
def _nearly_listed(draw: st.DrawFn) -> str:
    """A number of the deployment with up to two typing errors."""
    user = draw(st.sampled_from([*numbers_of(Lab()()), "13125550100", "3125550100"]))
    for _ in range(draw(st.integers(0, 2))):
        at, kept = draw(st.integers(0, len(user))), draw(st.integers(0, 1))
        user = user[:at] + draw(st.text(alphabet=_USERS, max_size=2)) + user[at + kept :]
    return user


@given(st.one_of(_nearly_listed(), st.text(alphabet=_USERS, min_size=1, max_size=20)))
def test_only_listed_users_pass(user: str) -> None:
    deployment = Lab()()
    known = {*numbers_of(deployment)}
    strings = known | {n[1:] for n in known} | {n[2:] for n in known}
    try:
        Guard(deployment)(f"sip:{user}@{HOST}")
    except RefusedError:
        return
    assert unquote(user) in strings


@pytest.mark.parametrize(
    "header",
    [
        ("Route", "<sip:evil.example>"),
        ("route", "<sip:evil.example>"),
        ("Refer-To", "<sip:911@evil.example>"),
        ("r", "<sip:911@evil.example>"),
        ("To", "<sip:911@evil.example>"),
        ("t", "<sip:911@evil.example>"),
        ("From", "<sip:911@evil.example>"),
        ("X-EI", "S.1;\r\nRoute: <sip:evil.example>"),
        ("X-EI", "S.1;\nRoute: <sip:evil.example>"),
        ("X-EI\r\nRoute", "x"),
        ("X EI", "x"),
        ("", "x"),
        ("X-Null", "a\0b"),
        ("Content-Length", "0"),
    ],
)
def test_routing_headers_are_refused(header: tuple[str, str]) -> None:
    with pytest.raises(RefusedError):
        check_headers([("X-Fine", "yes"), header])


def test_custom_headers_pass() -> None:
    check_headers(
        [
            ("X-EI", "S.a;E.b;O.+14155550101;"),
            ("Privacy", "id"),
            ("P-Asserted-Identity", "<sip:a@b>"),
        ]
    )


@pytest.mark.parametrize(
    "parameter",
    ["maddr=6.6.6.6", "%6Daddr=6.6.6.6", "m%61ddr=6.6.6.6", "%4D%41ddr=6.6.6.6", "%256Daddr=6.6.6.6", "method=BYE", "%6Dethod=BYE",
     "MeThOd=BYE", "transport=udp;%6daddr=6.6.6.6", "trans%70ort=tcp"],
)  # fmt: skip
def test_redirecting_uri_parameters_are_refused_even_when_escaped(lab: Lab, parameter: str) -> None:
    """RFC 3261 section 19.1.2: a parameter's name may be escaped and is compared decoded."""
    Guard(lab())(f"sip:+13125550100@{HOST};transport=udp")
    with pytest.raises(RefusedError, match="parameter"):
        Guard(lab())(f"sip:+13125550100@{HOST};{parameter}")


@pytest.mark.parametrize(
    ("uri", "wrong"),
    [
        ("sip:%@", True),
        ("mailto:+13125550100@{host}", True),
        ("sip:+13125550199@{host}", True),
        ("sip:+13125550100:secret@{host}", True),
        ("sip:+13125550100@{host};maddr=192.0.2.9", True),
        ("sip:+13125550100@{host};method=BYE", True),
        ("sip:+13125550100@{host};method=INVITE", False),  # the default (RFC 3261 section 19.1.1)
        ("sip:+13125550100@192.0.2.9", False),
        ("sip:+13125550100@{host}:5099", False),
        ("tel:+13125550100;npdi", False),
        ("sip:+13125550100@{host}?Require=replaces", False),  # as in RFC 5589 section 7.3
    ],
)
def test_refusal_by_rule_differs_from_a_wrong_target(lab: Lab, uri: str, wrong: bool) -> None:
    """A REFER declined by a rule is no defect of the far end; a wrong target is."""
    with pytest.raises(RefusedError) as refused:
        Guard(lab())(uri.format(host=HOST))
    assert isinstance(refused.value, WrongTargetError) == wrong


@pytest.mark.parametrize("port", [1, 22, 25, 80, 443, 5062, 8080, 65535])
def test_unknown_port_is_refused(lab: Lab, port: int) -> None:
    with pytest.raises(RefusedError, match=rf"port {port}\b.*safety\.hosts"):
        Guard(lab())(f"sip:+13125550100@{HOST}:{port}")
    Guard(lab(safety__hosts=[f"{HOST}:{port}"]))(f"sip:+13125550100@{HOST}:{port}")


@pytest.mark.parametrize("port", ["", ":5060", ":5061", ":32681"])
def test_known_ports_pass(lab: Lab, port: str) -> None:
    Guard(lab())(f"sip:+13125550100@{HOST}{port}")


def test_added_port_counts_for_its_host_only(lab: Lab) -> None:
    with pytest.raises(RefusedError, match="port 5080"):
        Guard(lab(safety__hosts=["sbc-2.acme.example:5080"]))(f"sip:+13125550100@{HOST}:5080")
