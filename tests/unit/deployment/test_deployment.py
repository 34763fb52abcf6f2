"""What a right file says: who calls, which number, digit and group; and what crosses to other
processes.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, Final

import pytest

from harness.deployment import (
    IDLE,
    Campaign,
    Deployment,
    Escalation,
    Handover,
    PhoneEntry,
    Replicas,
    from_plain,
    replicas_to_plain,
    to_plain,
)
from harness.deployment.safety import Guard
from harness.errors import RefusedError
from harness.integrations import load
from harness.support.resources import EXAMPLES
from tests.unit.deployment.example_files import SECRETS, loaded, mistakes_of, written

ONE: Final[Deployment] = load(EXAMPLES / "simulated-talkdesk.toml")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_files_that_come_with_the_project_are_right(path: Path) -> None:
    deployment = load(path, SECRETS)
    assert deployment.name == path.stem
    assert from_plain(to_plain(deployment)) == deployment
    assert load(path, {}, secrets=False).trunks, "who calls nobody needs no secrets"


def test_whose_results_these_are(tmp_path: Path) -> None:
    path = written(tmp_path, "live-gladly")
    assert load(path, SECRETS).site == "local"
    assert load(path, {**SECRETS, "HARNESS_SITE": "berlin"}).site == "berlin"
    path = written(tmp_path, "live-gladly", {"site": "Seattle 2"})
    assert load(path, SECRETS).site == "Seattle 2"
    assert load(path, {**SECRETS, "HARNESS_SITE": "berlin"}).site == "berlin", (
        "one file, many sites"
    )
    (said,) = mistakes_of(path, {**SECRETS, "HARNESS_SITE": "a/b"})
    assert said.startswith("site (HARNESS_SITE): 'a/b'")


def test_secrets_do_not_show_in_what_is_printed() -> None:
    deployment = load(EXAMPLES / "live-talkdesk.toml", SECRETS)
    assert "hunter2" not in repr(deployment)
    assert "hunter2" not in str(deployment.model_dump())
    assert (
        str(to_plain(deployment)).count("'hunter2'") == 6
    )  # a trunk, the API, four phones: for the pipe to a worker


# -- who calls


def with_phones(**phones: PhoneEntry) -> Deployment:
    kept = {
        name: phone
        for name, phone in ONE.phones.items()
        if name in ("billing", "support", "reception")
    }
    return ONE.model_copy(update={"phones": {**phones, **kept}, "campaign": None})


OUTSIDE = PhoneEntry(account="carrier", number="+14155550101")
OTHER = PhoneEntry(account="carrier", number="+14155550102")


@pytest.mark.parametrize(
    ("phones", "customer", "callers"),
    [
        (
            {"spare": PhoneEntry(account="agents", user="spare"), "outside": OUTSIDE},
            None,
            ["outside"],
        ),
        ({"guest": PhoneEntry(account="carrier", user="guest")}, None, ["guest"]),
        ({"outside": OUTSIDE}, "outside", ["outside"]),
        ({"outside": OUTSIDE, "other": OTHER}, "outside", ["other"]),
        ({"outside": OUTSIDE, "twin": OUTSIDE}, None, ["outside"]),
    ],
)
def test_callers_are_outside_phones_but_the_campaigns_customer(
    phones: dict[str, PhoneEntry], customer: str | None, callers: list[str]
) -> None:
    campaign = Campaign(line="inbound", customer=customer) if customer else None
    assert with_phones(**phones).model_copy(update={"campaign": campaign}).callers == callers


def test_a_sip_user_is_called_at_a_declared_host_alone(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"groups.billing.did": None, "groups.billing.user": "Kundendienst"}
    changes |= {"assistants.main.did": None, "assistants.main.user": "voice-ai"}
    changes |= {"lines.Empfang": {"user": "reception", "trunk": "udp-ip", "assistant": "main"}}
    deployment = loaded(tmp_path, "simulated-talkdesk", changes)
    guard = Guard(deployment)
    guard(f"sip:Kundendienst@{deployment.platform.domain}")
    guard(f"sip:reception@{deployment.accounts['carrier'].domain}")
    refused = {
        "kundendienst": deployment.platform.domain,
        "voice-ai": deployment.platform.domain,
        "reception": "pbx.example",
    }
    for user, host in refused.items():
        with pytest.raises(RefusedError, match="is no"):
            guard(f"sip:{user}@{host}")
    assert deployment.handovers_made("main", "Kundendienst", None, shows_topic=False) == [""]
    assert deployment.handovers_made("main", "+18155550101", None, shows_topic=False) == []


# -- digits


KEYS = "0123456789*#ABCD"


@pytest.mark.parametrize("digit", KEYS)
def test_idle_digits_have_no_other_meaning_to_the_ai(digit: str) -> None:
    for goodbye, back in itertools.permutations(KEYS.replace(digit, ""), 2):
        asked = Escalation(
            digit=digit, goodbye_digit=goodbye, digits_back_digit=back, digits_back="159D"
        )
        idle = ONE.model_copy(update={"escalation": asked}).idle_digits("main")
        assert not {digit, goodbye, back} & set(idle)
        assert len(set(idle)) == len(idle) == IDLE


def test_digits_of_handovers_and_answers_are_not_idle() -> None:
    handovers = {
        f"to {key}": Handover(
            transfer="cold", transfer_to="billing", digit=key, then=(KEYS[at + 8],)
        )
        for at, key in enumerate(KEYS[:7])
    }
    main = ONE.assistants["main"].model_copy(update={"handovers": handovers})
    changed = ONE.model_copy(update={"escalation": Escalation(), "assistants": {"main": main}})
    assert changed.idle_digits("main") == "7D"


# -- other processes


def test_replicas_cross_a_pipe_and_what_they_have_in_common_is_said_once() -> None:
    generic = load(EXAMPLES / "simulated-generic.toml")
    changes: list[dict[str, Any]] = [
        *({"ca_file": f"/tenant-{number}/ca.pem"} for number in range(3)),
        {"synthflow": None, "zone": "Europe/Berlin"},
        {
            "platform": generic.platform,
            "leave_out": {"TD-INBOUND": "because"},
            "require": ("TD-INBOUND",),
        },
    ]
    for replicas in ([], [ONE.model_copy(update=change) for change in changes]):
        said = replicas_to_plain(replicas)
        again = Replicas(json.loads(json.dumps(said)))
        assert list(again) == replicas
    assert [set(differs) for differs in said[1:3]] == [{"ca_file"}] * 2
    with pytest.raises(ValueError, match="no account is called 'carrier'"):
        Replicas([said[0], {"accounts": {}}])[1]
