"""A second run with the same phones or stand-in address waits."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from harness.deployment import Deployment
from harness.integrations import load
from harness.run.plugin.leases import in_turn
from harness.support.resources import EXAMPLES


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    found = load(EXAMPLES / "simulated-talkdesk.toml")
    accounts = {n: a.model_copy(update={"host": "192.0.2.7"}) for n, a in found.accounts.items()}
    place = found.stand_in.model_copy(update={"bind": "192.0.2.80"})
    update = {"kind": "stand-in", "name": "acme", "stand_in": place, "accounts": accounts}
    return found.model_copy(update=update)


@pytest.fixture(autouse=True)
def _own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def of_phones(deployment: Deployment, *names: str) -> Deployment:
    """With these phones only, and no stand-in."""
    phones = {name: deployment.phones[name] for name in names}
    return deployment.model_copy(
        update={"kind": "live", "name": "other", "phones": phones, "trunks": ()}
    )


def without_phones(deployment: Deployment) -> Deployment:
    return deployment.model_copy(update={"name": "other", "phones": {}})


@pytest.mark.parametrize("by", ["phones", "stand-in"])
def test_second_run_with_the_same_phones_waits_and_says_so(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The platform would call both registrations of one phone."""
    (phone, *_) = deployment.phones
    other = of_phones(deployment, phone) if by == "phones" else without_phones(deployment)
    others_turn = threading.Event()

    def second() -> None:
        with in_turn([other]):
            others_turn.set()
            print("its turn", file=sys.stderr)

    waiter = threading.Thread(target=second)
    # capsys loses text that is written while it is read
    out, into = os.pipe()
    with (
        open(out, encoding="utf-8") as heard,
        open(into, "w", encoding="utf-8", buffering=1) as stderr,
    ):
        monkeypatch.setattr(sys, "stderr", stderr)
        with in_turn([deployment]):
            waiter.start()
            said = heard.readline()
            assert not others_turn.is_set()
        assert others_turn.wait(60)
        waiter.join()
    words = (
        f"which has the phone {phone} of other"
        if by == "phones"
        else "whose stand-in is at 192.0.2.80:"
    )
    assert said.startswith(f"waiting for another run, {words}")


def test_runs_with_nothing_in_common_do_not_wait(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    one, another, *_ = deployment.phones
    simulated = deployment.model_copy(update={"kind": "simulated"})
    with (
        in_turn([of_phones(deployment, one), simulated]),
        in_turn([of_phones(deployment, another), simulated]),
    ):
        assert capsys.readouterr().err == ""
    with in_turn([deployment, of_phones(deployment, one)]):
        assert capsys.readouterr().err == "", "cases of one run take turns"
