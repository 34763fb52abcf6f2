"""No form of a deployment's number survives masking, and nothing else is destroyed: drawn by
hypothesis.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, unquote

import phonenumbers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, format_number

from harness.support.mask import Masker

REGIONS = (
    "AE",
    "AR",
    "AU",
    "BR",
    "CN",
    "CR",
    "DE",
    "DK",
    "FR",
    "GB",
    "HK",
    "IN",
    "IT",
    "JP",
    "MX",
    "NO",
    "NZ",
    "PH",
    "PT",
    "SG",
    "US",
)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """E.164, of one of many countries; possible, not always assigned."""
    known = phonenumbers.example_number(draw(st.sampled_from(REGIONS)))
    assert known is not None
    example = format_number(known, PhoneNumberFormat.E164)
    tail = draw(st.integers(2, 5))
    number = str(
        example[:-tail] + "".join(draw(st.sampled_from("0123456789")) for _ in range(tail))
    )
    assume(phonenumbers.is_possible_number(phonenumbers.parse(number, None)))
    return number


def national(number: str) -> str:
    return str(phonenumbers.national_significant_number(phonenumbers.parse(number, None)))


def at_home(number: str) -> str:
    return str(format_number(phonenumbers.parse(number, None), PhoneNumberFormat.NATIONAL))


def abroad(number: str) -> str:
    return str(format_number(phonenumbers.parse(number, None), PhoneNumberFormat.INTERNATIONAL))


FORMS: dict[str, Callable[[str], str]] = {
    "E.164": str,
    "E.164 without a plus": lambda number: number[1:],
    "00": lambda number: f"00{number[1:]}",
    "international": abroad,
    "tel URI": lambda number: str(format_number(phonenumbers.parse(number, None), PhoneNumberFormat.RFC3966)),
    "national, as written": at_home,
    "national, digits alone": national,
    "national, with the trunk's prefix": lambda number: re.sub(r"\D", "", at_home(number)),
    "415-5550105": lambda number: f"{national(number)[:3]}-{national(number)[3:]}",
    "(415)5550105": lambda number: f"({national(number)[:3]}){national(number)[3:]}",
    "digit by digit": lambda number: " ".join(national(number)),
    "escaped": lambda number: quote(abroad(number), safe=""),
    "every octet escaped": lambda number: "".join(f"%{ord(sign):02X}" for sign in number),
    "digits of another script": lambda number: national(number).translate({48 + n: 0xFF10 + n for n in range(10)}),
    "no-break spaces": lambda number: at_home(number).replace(" ", "\u00a0").replace("-", "\u2011"),
}  # fmt: skip

PLACES = (
    '"{}" <sip:agent@192.0.2.1>', "X-Customer: {}\r\n", "Call-ID: {}-6f2a@192.0.2.1\r\n", "o={} 1 1 IN IP4 192.0.2.1\r\n",
    "you can reach me at {}, please", "{}", "[{}]", "<sip:agent@192.0.2.1?X-From={}>", "caller={};line=2",
)  # fmt: skip


def survives(number: str, masked: str) -> bool:
    """Whether the digits can still be read in ``masked``."""
    return national(number) in re.sub(r"\D", "", unicodedata.normalize("NFKC", unquote(masked)))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30)
@given(number=numbers(), place=st.sampled_from(PLACES), others=st.lists(numbers(), max_size=3))
def test_no_form_of_a_deployments_number_survives(
    form: str, number: str, place: str, others: list[str]
) -> None:
    masker = Masker([*others, number])
    text = place.format(FORMS[form](number))
    assert survives(number, text), "the form shows it"
    assert not survives(number, masker.text(text))
    plain = masker.plain({"transcript": [{"text": text}], "call_id": text})
    assert not survives(number, plain["transcript"][0]["text"])
    assert not survives(number, plain["call_id"])
    assert masker.text(masker.text(text)) == masker.text(text)


#: What people, speech recognition, pages, URLs and JSON put between digits.
SEPARATED = (
    "312, 555, 0100", "312:555:0100", "312·555·0100", "312\n555\n0100", "312\t555\t0100", "312 | 555 | 0100", "312*555*0100",
    "3, 1, 2, 5, 5, 5, 0, 1, 0, 0",
    "3; 1; 2; 5; 5; 5; 0; 1; 0; 0", "3 1 2\r\n5 5 5\r\n0 1 0 0",
    "312. 555. 0100", "3…1…2…5…5…5…0…1…0…0",
    "312&nbsp;555&nbsp;0100", "312&#160;555&#xA0;0100", "312&amp;nbsp;555&amp;#160;0100",
    "3&nbsp;1&nbsp;2&nbsp;5&nbsp;5&nbsp;5&nbsp;0&nbsp;1&nbsp;0&nbsp;0",
    r"312\u00a0555\u00a00100", r"312\xa0555\xa00100", r"312\n555\t0100", r"312\\u00a0555\\u00a00100",
    r"312\u{a0}555\u{A0}0100", r"312\U000000a0555\U000000a00100",
    "312%C2%A0555%E2%80%AF0100", "312%2C%20555%2C%200100", "312%2520555%25200100", "312%0A555%0d0100",
    "&#51;&#49;&#50;&#53;&#x35;&#53;&#48;&#49;&#48;&#48;", r"\u0033\u0031\u0032\u0035\u0035\u0035\u0030\u0031\u0030\u0030",
    "%EF%BC%93%EF%BC%91%EF%BC%92%EF%BC%95%EF%BC%95%EF%BC%95%EF%BC%90%EF%BC%91%EF%BC%90%EF%BC%90",
    "٣١٢، ٥٥٥، ٠١٠٠", "३१२: ५५५: ०१००", "३, १, २, ५, ५, ५, ०, १, ०, ०", "312 x 555 x 0100", "3a1b2c5d5e5f0g1h0i0", "312<>555[]0100",
    "0.0.1.0.5.5.5.2.1.3.1.e164.arpa", "312\u2028555\u20290100", "5, 5, 5, 0, 1, 0, 0", "555&nbsp;0100", "555 · 0100",
)  # fmt: skip


@pytest.mark.parametrize("text", SEPARATED)
@pytest.mark.parametrize("place", ["{}", "call {} now", '{{"text": "{}"}}', "<td>{}</td>"])
def test_a_deployments_number_is_masked_whatever_separates_its_digits(
    text: str, place: str
) -> None:
    masked = Masker(["+13125550100"]).text(place.format(text))
    assert masked.count("•") >= 2, masked
    assert masked.startswith(place.partition("{}")[0].replace("{{", "{"))


@pytest.mark.parametrize(
    "repeated",
    ["3", "31255501", "3 1 2 5 5 5 0 1 ", "%25", "&amp;", "&", "\\", "\\u", "\u0663,", "tag=13125550142 +13125550143 "],
)  # fmt: skip
def test_masking_takes_time_in_proportion(repeated: str) -> None:
    """Sixteen times the text takes 256 times as long where each place is tried with each other."""
    masker = Masker(["+13125550100"])

    def seconds(size: int) -> float:
        times: list[float] = []
        for _ in range(3):
            began = time.process_time()
            masker.text(f"{repeated * (size // len(repeated))}{len(times)}x")
            times.append(time.process_time() - began)
        return min(times)

    assert seconds(160_000) < 100 * max(seconds(10_000), 1e-4)


#: No more than three of these stand between two digits.
OTHERS = st.text(
    st.characters(exclude_categories=("Nd", "Nl", "No", "Cs")).filter(
        lambda sign: not any(map(str.isdigit, unicodedata.normalize("NFKC", sign)))
    ),
    max_size=3,
)
ESCAPED = st.lists(
    st.sampled_from(["%20", "%2C", "%C2%A0", "&nbsp;", "&#160;", "&#x20;", "&ensp;", r"\u00a0", r"\u200b", r"\t", ",", " ", "-"]),
    max_size=3,
).map("".join)  # fmt: skip


@given(
    number=numbers(),
    separators=st.one_of([st.lists(one, min_size=16, max_size=16) for one in (OTHERS, ESCAPED)]),
    zero=st.sampled_from("0٠०๐０𝟎"),
    is_e164=st.booleans(),
)
def test_up_to_three_signs_between_two_digits_hide_no_number(
    number: str, separators: list[str], zero: str, is_e164: bool
) -> None:
    digits = number[1:] if is_e164 else national(number)
    assume(len(digits) >= 8)
    of_script = digits.translate({48 + n: ord(zero) + n for n in range(10)})
    text = "".join(map("".join, zip(of_script, separators, strict=False)))
    masked = Masker([number]).text(f"at {text}x")
    assert "•" in masked
    assert masked == Masker([number]).text(masked)


@pytest.mark.parametrize(
    "text",
    ["10:15:30 and 2026-11-23 12:34:56.101530", "a1b2c3d4e5f6, 1a01b5c30", "12a34b56c7d8", "10:55:50:100 and 5a5b5c0d1e0f0",
     "555:0100, x5x5x5x0x1x0x0x", "5550100.5, 15550100, 555010", "192.55.50.100:5060", "5.55.01.00.1"],
)  # fmt: skip
def test_short_forms_are_not_found_in_times_hashes_and_lists(text: str) -> None:
    """Of fewer than eight digits, what is parted by letters or colons may be anything."""
    assert Masker(["+13125550100", "+290101530"]).text(text) == text


@given(number=numbers(), form=st.sampled_from(sorted(FORMS)), place=st.sampled_from(PLACES))
def test_a_number_of_nobodys_is_masked_wherever_its_message_has_it(
    number: str, form: str, place: str
) -> None:
    """A stranger's number is known by its form in one place: its national digits stand in another."""
    first, second = f"From: <sip:{number}@192.0.2.1>;tag=1\r\n", place.format(FORMS[form](number))
    assert not survives(number, Masker().text(first + second))
    masked = Masker().plain({"from_number": number, "said": second, "phone": int(national(number))})
    assert not survives(number, masked["said"])
    assert not survives(number, str(masked["phone"]))


IDS = st.one_of(
    st.uuids().map(str),
    st.text("0123456789abcdef", min_size=8, max_size=32),
    st.text("0123456789", min_size=8, max_size=24),
    st.from_regex(r"[0-9]{10,15}@10\.[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,3}", fullmatch=True),
)
MOMENTS = st.integers(1_577_836_800, 2_051_222_399)
ADDRESSES = st.ip_addresses(v=4).map(str)
PORTS = st.integers(1, 65535)

MESSAGE = """\
INVITE sip:{number}@{address}:{port} SIP/2.0\r
Via: SIP/2.0/UDP {address}:{port};branch=z9hG4bK{branch};rport={port}\r
From: "caller" <sip:{number}@{address}>;tag={tag}\r
To: <sip:{number}@{address}:{port}>\r
Call-ID: {call_id}\r
CSeq: {cseq} INVITE\r
Replaces: {call_id};to-tag={tag};from-tag={branch}\r
Session-Expires: 4294967295\r
Timestamp: {moment}.{cseq}\r
Content-Type: application/sdp\r
\r
v=0\r
o=- {session} {session} IN IP4 {address}\r
s=-\r
c=IN IP4 {address}\r
t={moment} 0\r
m=audio {port} RTP/AVP 0 8 101\r
a=rtpmap:101 telephone-event/8000\r
a=ssrc:{ssrc} cname:{tag}\r
a=candidate:{ssrc} 1 UDP 2130706431 {address} {port} typ host\r
"""


@given(
    number=numbers(), call_id=IDS, tag=IDS, branch=IDS, moment=MOMENTS, address=ADDRESSES, port=PORTS,
    cseq=st.integers(1, 2**31), session=st.integers(0, 10**15 - 1), ssrc=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_nothing_but_the_number_of_a_message_is_destroyed(number: str, **values: object) -> None:
    masker = Masker([number])
    masked = "+" + masker.text(number)[1:]
    assert masker.text(MESSAGE.format(number=number, **values)) == MESSAGE.format(
        number=masked, **values
    )


@given(
    call_id=IDS,
    moment=MOMENTS,
    address=ADDRESSES,
    port=PORTS,
    ssrc=st.integers(0, 2**32 - 1),
    octets=st.integers(0, 2**63),
)
def test_figures_ids_and_moments_of_a_record_stay(
    call_id: str, moment: int, address: str, port: int, ssrc: int, octets: int
) -> None:
    record = {
        "call_id": call_id, "id": call_id, "began": moment, "ended_ms": moment * 1000, "created_at": str(moment * 1000),
        "at": moment + 0.25, "address": f"{address}:{port}", "ssrc": ssrc, "octets": octets, "port": port, "ok": True,
        "text": f"call {moment} of Call-ID {call_id} from {address}:{port}", "stamp": "20261123212849", "none": None,
    }  # fmt: skip
    assert Masker(["+13125550100"]).plain(record) == record


def test_keys_that_look_the_same_masked_stay_two() -> None:
    plain = {"+13125550100": 1, "+13129990100": 2, "+13128880100": 3}
    assert Masker().plain(plain) == {"+1312•••0100": 1, "+1312•••0100 ~2": 2, "+1312•••0100 ~3": 3}
