"""The pairs that a device shows to its broker: each step survives a kill, and there is always a way back."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import LinkLost, Rejected
from agent.fleet.identity import certificates
from agent.fleet.identity.certificates import Issuer
from agent.link.settings import LinkDown, LinkUp
from agent.trust import certificates as own
from agent.uplink.credentials import CANDIDATE, CURRENT, PENDING, PREVIOUS, REFUSED, Trial
from tests.simulators.certified_place import ENROLLED, Place, signed

if TYPE_CHECKING:
    from collections.abc import Callable


class Killed(BaseException):
    """SIGKILL, where it hurts."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def foreign(request: str) -> str:
    """Give a certificate of somebody who is called like the fleet's authority."""
    key = certificates.new_key()
    other = Issuer(certificates.new_authority("north", key), key)
    made = certificates.issue(other, "gate-1", certificates.read_request(request.encode(), "", "gate-1"))
    return certificates.pem(made).decode()


def forged(request: str) -> str:
    """Give a certificate whose signature has one bit changed."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    der = bytearray(x509.load_pem_x509_certificate(signed(request).encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_certificate(bytes(der)).public_bytes(Encoding.PEM).decode()


def test_a_new_pair_that_the_broker_takes_is_current_and_stays_so(place: Place) -> None:
    assert place.shown == "enrolled.pem"
    trial = place.held.install(signed(place.held.request()))
    assert (place.shown, len(place.drops)) == (CANDIDATE, 1)
    assert trial.tick(0) is None
    place.up()
    answer = trial.tick(1)
    assert answer
    assert answer.result["serial"] == own.facts((place.folder / "credentials" / CURRENT).read_bytes()).serial
    place.start()
    assert place.shown == CURRENT


def test_an_install_that_was_cut_off_before_its_key_was_put_away_goes_on_where_it_stood(place: Place) -> None:
    certificate = signed(place.held.request())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", _fatal(Path.unlink, [2]))  # the first is of what is half written
        with pytest.raises(Killed):
            place.held.install(certificate)
    place.start()
    assert place.names() == [CANDIDATE, PENDING]
    place.up()
    trial = place.held.install(certificate)
    assert place.names() == [CURRENT]
    place.up()
    assert trial.tick(1)
    assert (place.names(), place.drops) == ([CURRENT], [])


def test_the_pair_before_is_kept_and_is_shown_when_the_newest_is_refused_three_times(place: Place) -> None:
    for _ in range(2):
        place.held.install(signed(place.held.request()))
        place.up()
    assert place.names() == [CURRENT, PREVIOUS]
    for expected in (PREVIOUS, "enrolled.pem", CURRENT):
        place.refused(2)
        place.held.take(LinkDown("no route", refused=False))  # nobody was met: it says nothing of the pair
        assert place.shown != expected
        place.refused()
        assert place.shown == expected
    place.refused(2)
    place.up()
    place.refused(2)
    assert place.shown == CURRENT


def test_one_that_is_refused_or_gets_no_link_in_a_minute_is_put_aside(place: Place) -> None:
    trial = place.held.install(signed(place.held.request()))
    place.refused(3)
    assert trial.tick(1) is None
    place.up()
    with pytest.raises(Rejected, match="the broker has not taken the certificate"):
        trial.tick(2)
    assert (place.shown, place.names(), len(place.drops)) == ("enrolled.pem", [REFUSED], 1)
    trial = place.held.install(signed(place.held.request()))
    assert trial.tick(100) is None
    assert trial.tick(159) is None
    with pytest.raises(Rejected, match="within 60 s"):
        trial.tick(160)
    assert (place.shown, len(place.drops)) == ("enrolled.pem", 3)


def test_a_link_of_before_does_not_end_a_trial(place: Place) -> None:
    trial = place.held.install(signed(place.held.request()))
    place.held.take(LinkUp("5", 1, 1, ENROLLED[0]))
    assert trial.tick(1) is None
    place.up()
    assert trial.tick(2)


def test_the_same_request_is_given_until_it_is_answered(place: Place) -> None:
    first = place.held.request()
    place.start()
    key = [certificates.read_request(one.encode(), "", "gate-1") for one in (first, place.held.request())]
    assert key[0] == key[1]
    assert (place.folder / "credentials" / PENDING).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("certificate", "problem"),
    [
        (lambda request: signed(request, "gate-2"), "another device's name"),
        (lambda request: signed(request, days=-1), "its time is over"),
        (lambda request: signed(request) * 2, "not one certificate"),
        (lambda request: signed(request)[:200], "no certificate"),
        (lambda _: "", "not one certificate"),
        (lambda _: signed(own.request(own.new_key(), "gate-1")), "not for the key that was made last"),
        (foreign, "none of the authorities"),
        (forged, "none of the authorities"),
    ],
)
def test_a_certificate_that_is_not_sound_is_refused_and_changes_nothing(
    place: Place, certificate: Callable[[str], str], problem: str
) -> None:
    request = place.held.request()
    with pytest.raises(Rejected, match=problem):
        place.held.install(certificate(request))
    assert (place.names(), place.shown, place.drops) == ([PENDING], "enrolled.pem", [])


def test_a_damaged_certificate_is_refused_whichever_byte_of_it_is_wrong(place: Place) -> None:
    lines = signed(place.held.request()).splitlines()
    whole = base64.b64decode("".join(lines[1:-1]))
    known = place.ca.read_bytes()
    for n in range(len(whole)):
        damaged = whole[:n] + bytes([whole[n] ^ 0x15]) + whole[n + 1 :]
        text = f"{lines[0]}\n{base64.encodebytes(damaged).decode()}{lines[-1]}\n"
        with pytest.raises(Rejected):
            own.check(text.encode(), "gate-1", known, 0.0)


def test_one_that_was_refused_is_not_tried_again(place: Place) -> None:
    certificate = signed(place.held.request())
    with pytest.raises(Rejected):
        late(place.held.install(certificate))
    with pytest.raises(Rejected, match="has not taken"):
        place.held.install(certificate)


def late(trial: Trial) -> None:
    trial.tick(1)
    trial.tick(1000)


def test_without_a_link_one_that_works_is_never_put_aside(place: Place) -> None:
    certificate = signed(place.held.request())
    place.held.install(certificate)
    place.up()
    place.start()
    with pytest.raises(LinkLost):
        late(place.held.install(certificate))
    assert place.shown == CURRENT


STEPS = st.lists(st.sampled_from(["request", "install", "up", "refused", "late", "kill"]), max_size=20)


@settings(max_examples=40)
@given(steps=STEPS, fatal=st.integers(0, 12))
def test_whatever_happens_and_whenever_it_is_killed_there_is_a_sound_pair_to_show(
    steps: list[str], fatal: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("place")
    try:
        _lived(Place(folder), steps, fatal)
    finally:
        shutil.rmtree(folder)


class Life:
    """Steps of an agent that is killed before its change number ``fatal`` on the disk, and starts again."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.worked: set[str] = set()
        self.certificate = ""
        self.trial: Trial | None = None

    def request(self) -> None:
        self.certificate = signed(self.place.held.request())

    def install(self) -> None:
        if self.certificate:
            self.trial = self.place.held.install(self.certificate)

    def up(self) -> None:
        self.worked.add(_serial(self.place))
        self.place.up()

    def refused(self) -> None:
        self.place.refused(3)

    def late(self) -> None:
        if self.trial:
            late(self.trial)

    def kill(self) -> None:
        raise Killed


def _lived(place: Place, steps: list[str], fatal: int) -> None:
    life, left = Life(place), [fatal]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "unlink"):
            patch.setattr(Path, name, _fatal(getattr(Path, name), left))
        for step in steps:
            try:
                getattr(life, step)()
            except (Rejected, LinkLost):
                pass
            except Killed:
                place.start()
                life.trial = None
            assert _serial(place)
    current = place.folder / "credentials" / CURRENT
    assert not current.exists() or own.facts(current.read_bytes()).serial in life.worked
    previous = place.folder / "credentials" / PREVIOUS
    assert not previous.exists() or not current.exists() or previous.read_bytes() != current.read_bytes()
    place.start()
    order = [Path(one[0]).name for one in place.held._pairs]
    assert order[-1] == "enrolled.pem"
    assert order[:-1] == [name for name in (CANDIDATE, CURRENT, PREVIOUS) if name in order]


def _serial(place: Place) -> str:
    """Give the number of the certificate that is shown, which must be there with its key."""
    if place.shown == "enrolled.pem":
        return place.shown
    content = Path(place.held.pair()[0]).read_bytes()
    key = content[: content.index(b"-----BEGIN CERT")]
    assert own.belongs(content[len(key) :], key)
    return own.facts(content).serial


def _fatal(real: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def once(path: Path, *words: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return real(path, *words, **more)

    return once
