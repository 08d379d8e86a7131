"""The key derivation in C gives what slixmpp's own gives, and what the RFC says."""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from slixmpp.util.sasl.client import MECHANISMS as REGISTERED
from slixmpp.util.sasl.mechanisms import SCRAM

from lastword.publishers.scram import MECHANISMS, QuickSCRAM


def scram(kind: type, name: str, password: bytes = b"") -> SCRAM:
    credentials = {"username": b"alice", "password": password, "channel_binding": b"x"}
    security = {"encrypted": True, "tls_version": "TLSv1.2", "binding_proposed": False}
    return cast("SCRAM", kind(name, credentials, security))


def test_slixmpp_takes_ours() -> None:
    assert REGISTERED.keys() >= MECHANISMS
    ours = {name for name, kind in REGISTERED.items() if kind is QuickSCRAM}
    assert MECHANISMS - ours == {"PLAIN"}
    assert SCRAM not in REGISTERED.values()


@given(
    name=st.sampled_from(sorted(MECHANISMS - {"PLAIN"})),
    password=st.binary(min_size=1, max_size=80),
    salt=st.binary(min_size=1, max_size=32),
    rounds=st.integers(1, 20),
)
def test_equals_that_of_slixmpp(name: str, password: bytes, salt: bytes, rounds: int) -> None:
    quick, slow = scram(QuickSCRAM, name), scram(SCRAM, name)
    expected = slow.Hi(cast("str", password), salt, rounds)
    assert quick.Hi(cast("str", password), salt, rounds) == expected


def test_vector_of_rfc_6070() -> None:
    derived = scram(QuickSCRAM, "SCRAM-SHA-1").Hi(cast("str", b"password"), b"salt", 4096)
    assert derived.hex() == "4b007901b765489abead49d926f721d065a429c1"
