"""Which of a deployment's phones call."""

from __future__ import annotations

from harness.deployment import Campaign, Deployment, PhoneEntry
from harness.deployment.file import load
from harness.support.resources import EXAMPLES


def with_phones(**phones: PhoneEntry) -> Deployment:
    deployment = load(EXAMPLES / "simulated-talkdesk.toml")
    kept = {name: phone for name, phone in deployment.phones.items() if name in ("billing", "support", "reception")}
    return deployment.model_copy(update={"phones": {**phones, **kept}, "campaign": None})


def test_an_agent_of_no_group_does_not_call() -> None:
    spare = PhoneEntry(account="agents", user="spare")
    outside = PhoneEntry(account="carrier", number="+14155550101")
    assert with_phones(spare=spare, outside=outside).callers == ["outside"]


def test_where_no_phone_has_a_number_the_users_call() -> None:
    assert with_phones(guest=PhoneEntry(account="carrier", user="guest")).callers == ["guest"]


def test_a_customer_who_is_the_only_phone_calls_as_well() -> None:
    only = with_phones(outside=PhoneEntry(account="carrier", number="+14155550101"))
    named = only.model_copy(update={"campaign": Campaign(line="inbound", customer="outside")})
    assert named.callers == ["outside"]
    two = with_phones(
        outside=PhoneEntry(account="carrier", number="+14155550101"),
        other=PhoneEntry(account="carrier", number="+14155550102"),
    )
    assert two.model_copy(update={"campaign": named.campaign}).callers == ["other"]
