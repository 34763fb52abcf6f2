"""A stand-in's phone is at its address between cases as well, for platforms that call nobody who
does not answer OPTIONS.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.phone import PhoneConfig
from harness.phone.pool import PhonePool
from harness.phone.switchboard import Reservation, Switchboard, wait_until_asked
from tests.loopback import fresh_address
from tests.options_asker import OptionsAsker


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def waiting() -> threading.Event:
    return threading.Event()


@pytest.fixture
def board(said: list[str], waiting: threading.Event) -> Iterator[Switchboard]:
    def say(text: str) -> None:
        said.append(text)
        waiting.set()

    board = Switchboard(say=say)
    yield board
    board.close()


@pytest.fixture
def platform() -> Iterator[OptionsAsker]:
    platform = OptionsAsker(fresh_address())
    yield platform
    platform.close()


@pytest.fixture
def config(platform: OptionsAsker) -> PhoneConfig:
    place = {"bind_address": fresh_address(), "bind_port": 5060}
    return PhoneConfig(
        name="stand-in",
        user="ai",
        domain="ai.example",
        accepts_from=(platform.host,),
        **place,  # type: ignore[arg-type]
    )


def place(config: PhoneConfig) -> tuple[str, int]:
    return config.bind_address, config.bind_port


def test_a_kept_phone_answers_options_without_any_case_and_again_when_a_row_had_its_address(
    board: Switchboard, platform: OptionsAsker, config: PhoneConfig
) -> None:
    board.keep(config)
    assert platform.asks(*place(config)) == 200
    reserved = Reservation(board.path, config)
    assert platform.asks(*place(config), within=0.3) == 0, "it has left its address to the row"
    reserved.release()
    assert not wait_until_asked(board.path, config, None).answered  # type: ignore[union-attr]  # it has come again by then
    assert platform.asks(*place(config)) == 200


def test_a_case_waits_until_the_platform_has_asked_and_again_when_a_row_had_the_address(
    board: Switchboard,
    platform: OptionsAsker,
    config: PhoneConfig,
    said: list[str],
    waiting: threading.Event,
    tmp_path: Path,
) -> None:
    for stay in (1, 2):
        with ThreadPoolExecutor(1) as threads:
            case = threads.submit(wait_until_asked, board.path, config, 600.0)
            assert waiting.wait(20)
            assert not case.done()
            assert platform.asks(*place(config)) == 200
            told = case.result(20)
        assert told is not None
        assert told.answered
        assert len(said) == stay
        waiting.clear()
        with PhonePool(tmp_path / str(stay)) as pool:
            reserved = Reservation(board.path, config)
            rules = {"sink": lambda event: None, "marks": itertools.count(), "directory": tmp_path}
            pool.lease(config, **rules).release()  # type: ignore[arg-type]
            reserved.release()
