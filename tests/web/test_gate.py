"""Who may ask, decided from headers alone (S1.6)."""

from __future__ import annotations

import pytest

from orchestrator.web.gate import Asked, Rules, is_loopback, is_name, refusal

TOKEN = "a" * 64


def asked(*headers: tuple[str, str], method: str = "GET", address: str = "127.0.0.1") -> Asked:
    return Asked(method, address, tuple((name.encode(), value.encode("latin-1")) for name, value in headers))


@pytest.mark.parametrize(
    ("address", "host", "is_ours"),
    [
        ("::1", "[::1]:8", True),
        ("::1", "[0:0::1]", True),
        ("::1", "localhost", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::ffff:127.0.0.1", "localhost", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "localhost", False),
        ("192.0.2.7", "192.0.2.70", False),
        ("fe80::1%eth0", "[fe80::1]", True),
        ("127.0.0.1", "2130706433", False),
        ("127.0.0.1", "127.0.0.1:99999x", False),
        ("127.0.0.1", "localhost.", False),
        ("127.0.0.1", "local\xe9", False),
    ],
)
def test_s1_6_a_host_is_the_address_that_was_come_to_or_a_name_of_ours(
    address: str, host: str, is_ours: bool
) -> None:
    found = refusal(asked(("host", host), address=address), Rules(TOKEN))
    assert (found is None) == is_ours


def test_s1_6_what_is_said_twice_is_not_believed() -> None:
    right = ("authorization", f"Bearer {TOKEN}")
    host = ("host", "localhost")
    rules = Rules(TOKEN)
    assert refusal(asked(host, right, method="POST"), rules) is None
    for headers in ((host, right, right), (host, right, ("Authorization", "Bearer x")), (host, host, right)):
        assert refusal(asked(*headers, method="POST"), rules) is not None
    both = (("origin", "http://localhost"), ("origin", "http://other"))
    assert refusal(asked(host, right, *both, method="POST"), rules) is not None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "X"])
def test_s1_6_whatever_is_not_known_to_be_harmless_needs_the_token(method: str) -> None:
    found = refusal(asked(("host", "localhost"), method=method), Rules(TOKEN))
    assert found is not None
    assert found.status == 401


def test_s1_6_names_and_addresses() -> None:
    assert [is_loopback(a) for a in ("127.8.8.8", "::1", "0.0.0.0", "::", "10.0.0.1")] == [
        True,
        True,
        *[False] * 3,
    ]
    assert [is_name(n) for n in ("a.b", "::1", "a:8", "a b", "", "*")] == [True, True, *[False] * 4]
