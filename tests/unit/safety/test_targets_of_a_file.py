"""Whatever a deployment file names as a target, in whichever field and writing: no INVITE and no
REFER leaves for an emergency, premium or shared-cost number.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat
from pydantic import ValidationError

from harness.deployment import Deployment
from harness.deployment.safety import Guard
from harness.errors import DeploymentError, RefusedError, WrongTargetError
from harness.integrations import load
from harness.run.cli.call import _uri
from tests.unit.safety.conftest import HOST, LAB, Lab
from tests.unit.safety.recording_phone import RecordingPhone
from tests.unit.safety.targets import DEAR, EMERGENCY, PREFIXES, written

#: Each field that names a target, and the changes to a file that put one there.
FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "lines.did": lambda address: {"lines__inbound__did": address},
    "lines.dids": lambda address: {"lines__inbound": {"dids": {"udp-ip": address}, "assistant": "main"}},
    "lines.user": lambda address: {"lines__inbound": {"user": address, "trunk": "udp-ip", "assistant": "main"}},
    "a menu": lambda address: {
        "lines__inbound": {"user": address, "trunk": "udp-ip", "choices": {"1": {"assistant": "main"}, "2": {"group": "billing"}}}
    },
    "groups.did": lambda address: {"groups__billing__did": address},
    "groups.user": lambda address: {"groups__billing": {"user": address, "agents": ["billing"]}},
    "a handover": lambda address: {
        "groups__desk": {"user": address},
        "assistants__main__handovers": {"desk": {"transfer": "warm", "transfer_to": "desk", "digit": "3"}},
    },
    "assistants.did": lambda address: {"assistants__main__did": address},
    "phones.number": lambda address: {"phones__billing": {"account": "carrier", "number": address}},
    "phones.user": lambda address: {"phones__billing": {"account": "carrier", "user": address}},
    "no_such_number": lambda address: {"numbers__no_such_number": address},
    "campaign.customer": lambda address: {
        "phones__customer": {"account": "carrier", "number": address},
        "campaign": {"trigger": "manual", "line": "inbound", "customer": "customer"},
    },
}  # fmt: skip


def attempts(deployment: Deployment, address: str) -> list[str]:
    """What leaves when each way to call ``address`` is tried."""
    recorded = RecordingPhone(deployment)
    phone, sip = recorded.phone, f"sip:{address}@{HOST}"
    tries: list[Callable[[], object]] = [
        lambda: phone.dial(sip),
        lambda: phone.dial(address),
        lambda: phone.dial(f"tel:{address}"),
        lambda: phone.dial(f"sips:{address}@{HOST}"),
        lambda: phone.dial(_uri(deployment, "caller", address)),
        lambda: recorded.leg.transfer(sip),
        lambda: recorded.leg.transfer(f"{sip};user=phone"),
        lambda: recorded.follow(f"<{sip}>"),
        lambda: recorded.follow(f"tel:{address}"),
    ]
    for attempt in tries:
        with contextlib.suppress(RefusedError):
            attempt()
    return recorded.left


def left_for(address: str, field: str, region: str, **safety: Any) -> list[str]:
    """What leaves for a file of that region with ``address`` in that field; a file that is refused
    calls nobody.
    """
    changes = {"region": region, **FIELDS[field](address), **safety}
    try:
        deployment = Lab()(**changes)
    except ValidationError:
        return []
    return attempts(deployment, address)


@pytest.mark.parametrize("field", FIELDS)
def test_a_harmless_address_leaves_by_each_field(field: str) -> None:
    """What the refusals below are worth."""
    address = "maria" if "user" in field or field in ("a menu", "a handover") else "+12065550111"
    assert f"sip:{address}@{HOST}" in left_for(address, field, "US")


# -- the rows that were recorded


@pytest.mark.parametrize(
    "user",
    ["19005551234", "1-900-555-1234", "0114490912345678", "011449091234567", "9-1-1", "(911)", "911;phone-context=us", "911,,1",
     "911&", "%39%31%31", "%2539%2531%2531", "5551212;rn=+19005551234", "9005551234", "919005551234", "*3119005551234",
     "110", "000", "119", "118", "15", "17", "18", "100", "111", "190", "9110", "0110", "00110", "*31110", "#31#110", "w17", "17p"],
)  # fmt: skip
@pytest.mark.parametrize(
    "field", ["lines.user", "groups.user", "phones.user", "a menu", "a handover"]
)
def test_recorded_targets_do_not_leave(user: str, field: str) -> None:
    assert left_for(user, field, "US") == []
    guard = Guard(Lab()())
    assert guard.refusal(user)
    assert guard.refusal(user, by_others=True)


@pytest.mark.parametrize(
    "user", ["110", "000", "119", "15", "100", "190", "9110", "0110", "*31110"]
)
@pytest.mark.parametrize("region", ["US", "DE", "GB"])
def test_no_file_can_allow_an_emergency_number(user: str, region: str) -> None:
    for field in ("lines.user", "groups.user", "phones.user"):
        assert left_for(user, field, region, safety__allow=[user], safety__countries=["JP"]) == []


def test_referral_to_a_listed_extension_like_an_emergency_number_is_no_fault_of_the_far_end() -> (
    None
):
    """The file names it, and only our rules refuse it."""
    recorded = RecordingPhone(Lab()(groups__billing={"user": "101", "agents": ["billing"]}))
    for user, is_wrong in (("101", False), ("911", True)):
        with pytest.raises(RefusedError) as refused:
            recorded.follow(f"<sip:{user}@{HOST}>")
        assert isinstance(refused.value, WrongTargetError) is is_wrong
    assert recorded.left == []


@pytest.mark.parametrize(
    "user", ["maria", "agent-7", "7001", "70014001", "4711", "12065550111", "2065550111"]
)
def test_names_extensions_and_national_numbers_leave(user: str) -> None:
    assert f"sip:{user}@{HOST}" in left_for(user, "groups.user", "US")


# -- drawn


@given(
    st.data(),
    st.sampled_from(EMERGENCY),
    st.sampled_from(sorted(FIELDS)),
    st.sampled_from(["US", "DE", "IN"]),
)
def test_no_call_to_an_emergency_number_leaves(
    data: st.DataObject, emergency: tuple[str, str], field: str, region: str
) -> None:
    code, home = emergency
    country = str(phonenumbers.country_code_for_region(home))
    form = data.draw(st.sampled_from([code, f"+{country}{code}", f"00{country}{code}"]))
    address = data.draw(written(data.draw(st.sampled_from(PREFIXES)) + form))
    allowed = [code] if re.fullmatch("[0-9]|[0-9]{2,8}", code) else []
    assert left_for(address, field, region, safety__allow=allowed, safety__countries=[home]) == []


@given(st.data(), st.sampled_from(DEAR), st.sampled_from(sorted(FIELDS)), st.booleans())
def test_no_call_to_a_premium_or_shared_cost_number_leaves(
    data: st.DataObject, dear: tuple[phonenumbers.PhoneNumber, str], field: str, abroad: bool
) -> None:
    number, home = dear
    digits = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    forms = [digits, digits[1:], "00" + digits[1:], "011" + digits[1:]]
    region = "US" if abroad else home
    if not abroad:
        assume(number.country_code == phonenumbers.country_code_for_region(home))
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        forms += [re.sub(r"[^0-9]", "", national), phonenumbers.national_significant_number(number)]
    prefix = data.draw(st.sampled_from(PREFIXES))
    address = data.draw(written(prefix + data.draw(st.sampled_from(forms))))
    left = left_for(address, field, region, safety__countries=[home])
    assert left == []


@given(st.sampled_from(DEAR), st.sampled_from(EMERGENCY), st.data())
def test_no_referral_to_such_a_number_is_followed(
    dear: tuple[phonenumbers.PhoneNumber, str], emergency: tuple[str, str], data: st.DataObject
) -> None:
    """Nor with a listed number in front, and routing to the other."""
    bad = data.draw(
        st.sampled_from([phonenumbers.format_number(dear[0], PhoneNumberFormat.E164), emergency[0]])
    )
    recorded, listed = RecordingPhone(Lab()()), f"+13125550100@{HOST}"
    for uri in (
        f"sip:{data.draw(written(bad))}@{HOST}",
        f"sip:{listed};rn={bad}",
        f"sip:{listed};cic={bad};npdi",
        f"sip:{listed};phone-context={bad}",
        f"sip:{listed}?X-Forward-To={quote(bad)}",
        f"tel:+13125550100;postd={bad}",
    ):
        with contextlib.suppress(RefusedError):
            recorded.follow(f"<{uri}>")
        with contextlib.suppress(RefusedError):
            recorded.leg.transfer(uri)
    assert recorded.left == []
    recorded.follow(f"<sip:{listed}>")
    assert recorded.left == [f"<sip:{listed}>"]


@given(st.sampled_from(DEAR))
def test_no_spreadsheet_leads_to_a_premium_or_shared_cost_number(
    tmp_path_factory: pytest.TempPathFactory, dear: tuple[phonenumbers.PhoneNumber, str]
) -> None:
    number, home = dear
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    assume(number.country_code == phonenumbers.country_code_for_region(home))
    directory = tmp_path_factory.mktemp("file")
    (directory / "numbers.csv").write_text(f"name,did,trunk,assistant\nsales,{e164},udp-ip,main\n")
    text = f'region = "{home}"\nnumbers_csv = "numbers.csv"\n' + LAB
    (directory / "file.toml").write_text(text)
    try:
        deployment = load(directory / "file.toml", {})
    except DeploymentError:  # the library does not take its own example for a number
        return
    assert attempts(deployment, e164) == []
