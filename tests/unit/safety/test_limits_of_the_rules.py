"""The boundaries of each safety rule."""

from __future__ import annotations

from typing import Any

import phonenumbers
import pytest

from harness.deployment.safety import Guard, check_request
from harness.errors import RefusedError
from tests.unit.safety.conftest import HOST, Lab


@pytest.mark.parametrize("method", ["INVITE", "REFER", "invite", "Refer"])
def test_plain_request_must_not_begin_a_call(method: str) -> None:
    with pytest.raises(RefusedError, match="is not sent as a plain request"):
        check_request(method, [])


def test_headers_of_plain_requests_are_checked() -> None:
    check_request("OPTIONS", [("X-A", "1")])
    with pytest.raises(RefusedError, match="the phone's own to write"):
        check_request("OPTIONS", [("Via", "1")])


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("12", True),
        ("423", True),
        ("1000", False),
        ("1009", False),
        ("*69", True),
        ("7777*", True),
        ("*77777", True),
    ],
)
def test_short_codes_have_up_to_three_digits_or_signs(lab: Lab, code: str, refused: bool) -> None:
    found = Guard(lab()).refusal(code)
    assert (found == f"{code} is a short code (safety.allow may name it)") is refused
    assert (found is None) is not refused


@pytest.mark.parametrize("port", [5060, 5061])
def test_default_sip_ports_are_always_allowed(lab: Lab, port: int) -> None:
    trunk = {"transport": "udp", "host": "127.9.9.2", "port": 5090, "termination": "127.9.9.1:5090"}
    trunks = [{"name": name, **trunk} for name in ("udp-ip", "tcp-ip")]
    guard = Guard(lab(platform__port=5090, accounts__carrier__port=5090, trunks=trunks))
    guard(f"sip:+13125550100@{HOST}:{port}")
    with pytest.raises(RefusedError):
        guard(f"sip:+13125550100@{HOST}:{port + 10}")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("+", "+ cannot be read as a number, an extension or a name"),
        ("+1", "+1 is no telephone number"),
        (
            "+145",
            "+145 belongs to no country that is known, and the deployment to US (safety.allow may name it)",
        ),
        ("+1911", "+1911 begins with the emergency number of US"),
        ("+19005550100", "+19005550100 is a premium-rate number (safety.allow may name it)"),
        ("+14155550101", None),
        ("+17735550199", None),
        (
            "+442079460101",
            "+442079460101 belongs to GB, and the deployment to US (safety.countries may name it)",
        ),
        (
            "+80012345678",
            "+80012345678 belongs to no country's network, and the deployment to US (safety.allow may name it)",
        ),
    ],
)
def test_refusal_names_its_reason(lab: Lab, number: str, reason: str | None) -> None:
    assert Guard(lab()).refusal(number) == reason


def test_unassigned_number_is_allowed_at_home_only(lab: Lab) -> None:
    nobodys = "+12125550100"
    assert not phonenumbers.is_valid_number(phonenumbers.parse("+10005550100", None))
    guard = Guard(lab())
    assert guard.refusal(nobodys) is None
    assert guard.refusal("+10005550100") is None  # no region, but the home country code
    assert guard.refusal("+440005550100") == (
        "+440005550100 belongs to no country that is known, and the deployment to US (safety.allow may name it)"
    )


@pytest.mark.parametrize(
    "number", ["+80012345678", "+440005550100", "+442079460101", "+19005550100", "+883510000012345"]
)
def test_key_named_in_a_refusal_allows_the_number(lab: Lab, number: str) -> None:
    said = Guard(lab()).refusal(number) or ""
    key, value = ("allow", number) if "(safety.allow may name it)" in said else ("countries", "GB")
    asked: dict[str, Any] = {f"safety__{key}": [value]}
    assert Guard(lab(**asked)).refusal(number) is None


@pytest.mark.parametrize("extension", ["0", "9", "22", "4711*", "1120"])
def test_key_named_in_a_refusal_allows_the_extension(lab: Lab, extension: str) -> None:
    """Extension 0 is the operator at many private exchanges."""
    group = {"user": extension, "agents": ["billing"]}
    said = Guard(lab(region="DE", groups__billing=group)).refusal(extension) or ""
    assert said.endswith("(safety.allow may name it)")
    guard = Guard(lab(region="DE", groups__billing=group, safety__allow=[extension]))
    guard(f"sip:{extension}@acme.example")


@pytest.mark.parametrize("port", [5060, 5061])
def test_sip_ports_are_allowed_at_every_deployment_port(lab: Lab, port: int) -> None:
    away: dict[str, Any] = {"platform__port": 15060, "accounts__carrier__port": 15061}
    deployment = lab(**away)
    Guard(deployment)(f"sip:+13125550100@{HOST}:{port}")
    with pytest.raises(RefusedError):
        Guard(deployment)(f"sip:+13125550100@{HOST}:5059")


def test_trunk_host_and_termination_may_be_called(lab: Lab) -> None:
    plain = lab()
    trunks = tuple(
        trunk.model_copy(
            update={"host": f"127.9.8.{index}", "termination": f"127.9.7.{index}:15070"}
        )
        for index, trunk in enumerate(plain.trunks, 1)
    )
    guard = Guard(plain.model_copy(update={"trunks": trunks}))
    for index in (1, 2):
        guard(f"sip:+13125550100@127.9.8.{index}")
        guard(f"sip:+13125550100@127.9.7.{index}:15070")
    with pytest.raises(RefusedError):
        guard("sip:+13125550100@127.9.7.3:15070")


@pytest.mark.parametrize(
    ("region", "nobodys"),
    [
        ("DE", "+491991234567"),
        ("FR", "+33099123456"),
        ("US", "+10005550100"),
        ("GB", "+440005550100"),
    ],
)
def test_unknown_numbering_plan_belongs_to_no_country(lab: Lab, region: str, nobodys: str) -> None:
    """Also for a country that has its code alone."""
    assert Guard(lab(region=region)).refusal(nobodys) is None
    abroad = Guard(lab(region="JP", safety__countries=[region]))
    said = f"{nobodys} belongs to no country that is known, and the deployment to JP, {region} (safety.allow may name it)"
    assert abroad.refusal(nobodys) == said
    assert Guard(lab(region="JP", safety__allow=[nobodys])).refusal(nobodys) is None


@pytest.mark.parametrize(
    ("region", "number", "why"),
    [
        ("DE", "+4990012345678", "begins with a premium-rate number"),
        ("DE", "+4990012345", "begins with a premium-rate number"),  # too short
        ("DE", "+499002345678", "begins with a premium-rate number"),  # not allotted
        ("DE", "+4913712", "begins with a shared-cost number"),
        ("IT", "+398991234567", "begins with a premium-rate number"),
        ("DE", "+4911833", "is a short code behind its country's code"),
        ("GB", "+44118118", "is a short code behind its country's code"),
    ],
)
def test_unknown_numbering_plan_may_look_like_premium(
    lab: Lab, region: str, number: str, why: str
) -> None:
    """Networks ignore surplus digits, and bill a call by the first ones."""
    assert Guard(lab(region=region)).refusal(number) == f"{number} {why} (safety.allow may name it)"
    assert Guard(lab(region=region, safety__allow=[number])).refusal(number) is None


#: The North American area codes of other countries and territories, from the plan's own pages
#: (nationalnanpa.com), by region.
ABROAD = {
    "AG": "268", "AI": "264", "AS": "684", "BB": "246", "BM": "441", "BS": "242", "DM": "767", "DO": "809 829 849", "GD": "473",
    "GU": "671", "JM": "876 658", "KN": "869", "KY": "345", "LC": "758", "MP": "670", "MS": "664", "PR": "787 939", "SX": "721",
    "TC": "649", "TT": "868", "VC": "784", "VG": "284", "VI": "340",
}  # fmt: skip


@pytest.mark.parametrize(
    ("region", "area"), [(r, area) for r, codes in ABROAD.items() for area in codes.split()]
)
@pytest.mark.parametrize("exchange", ["100", "111", "200", "555", "999"])
def test_area_code_decides_the_country_whether_the_exchange_is_known(
    lab: Lab, region: str, area: str, exchange: str
) -> None:
    number = f"+1{area}{exchange}0199"
    said = Guard(lab()).refusal(number) or ""
    assert (
        f"{number} belongs to {region}, and the deployment to US" in said or "begins with" in said
    )
    if "begins with" not in said:  # as premium numbers and pagers of that area code do
        assert Guard(lab(safety__countries=[region])).refusal(number) is None


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("+441481100199", "belongs to GG"),
        ("+441481999999", "belongs to GG"),
        ("+441534900000", "belongs to JE"),
        ("+441534300", "belongs to JE"),
        ("+441624100100", "belongs to IM"),
        ("+447781000000", "belongs to GG"),
        ("+447797900000", "belongs to JE"),
        ("+447624700000", "belongs to IM"),
        ("+447600000000", "is a pager's number"),
        ("+447610000000", "begins with a pager's number"),
        ("+447692000000", "begins with a pager's number"),
        ("+4476", "begins with a pager's number"),
    ],
)
def test_islands_and_pagers_of_the_british_plan_are_known_by_leading_digits(
    lab: Lab, number: str, said: str
) -> None:
    assert said in str(Guard(lab(region="GB")).refusal(number))


@pytest.mark.parametrize(
    ("region", "number"),
    [
        ("US", "+13121550199"),
        ("US", "+12120550199"),
        ("US", "+10005550100"),
        ("GB", "+442071000000"),
        ("GB", "+441632000000"),
        ("DE", "+49301"),
        ("FR", "+33100000000"),
    ],
)
def test_unassigned_numbers_of_the_home_country_may_be_called(
    lab: Lab, region: str, number: str
) -> None:
    assert Guard(lab(region=region)).refusal(number) is None
