"""Who may ask what: a pure look at a request's method and headers, before anything else is done with it.

Promise: nothing is changed for whoever does not know the token, and where others than this host can reach the
server, nothing is told either. A page of another site that a browser of this host shows is refused, also one
whose name was made to mean this address (DNS rebinding). Not promised: that other users of this host cannot
read where it listens on loopback, nor that anything is secret on its way: this is HTTP without TLS.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SAFE: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
_HOST: Final = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[0-9a-z._-]+))(?::[0-9]{1,5})?")
_ORIGIN: Final = re.compile(r"https?://(.+)")
_OWN_SITE: Final = frozenset({"same-origin", "none"})
_LOCALHOST: Final = "localhost"


@dataclass(frozen=True, slots=True)
class Rules:
    """``names`` are those by which one may ask, besides the address that the request came to.

    ``is_private``: reading needs the token, too.
    """

    token: str
    names: frozenset[str] = frozenset()
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a request: ``address`` is the one of this host that it came to."""

    method: str
    address: str
    headers: tuple[tuple[bytes, bytes], ...]

    def all(self, name: str) -> list[str]:
        """The values of a header, in lower case but for those that are secret."""
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == wanted]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered, as an HTTP status and a code with its words."""

    status: int
    code: str
    message: str
    advice: str = ""


def refusal(asked: Asked, rules: Rules) -> Refusal | None:
    """Why it is refused, or None when it may be answered."""
    hosts = [value.lower() for value in asked.all("host")]
    if len(hosts) != 1 or not _is_ours(hosts[0], asked.address, rules.names):
        said = "this server does not go by the name that it was asked by"
        return Refusal(421, "unknown-host", said, "ask by its address, or name it with --allow-host")
    if not _is_own_site(asked, hosts[0]):
        return Refusal(403, "other-site", "a page of another site may not ask here")
    needs = rules.is_private or asked.method not in SAFE
    if needs and not _knows(asked.all("authorization"), rules.token):
        how = "Authorization: Bearer TOKEN; `planctl serve` says where it is"
        return Refusal(401, "token-needed", "the token is needed for this", how)
    return None


def is_loopback(address: str) -> bool:
    """Whether only this host reaches that address."""
    return _address(address).is_loopback


def is_name(text: str) -> bool:
    """Whether it can be the name or the address in a ``Host`` header, without a port."""
    if ":" not in text:
        return _HOST.fullmatch(text) is not None
    try:
        return bool(_address(text))
    except ValueError:
        return False


def _is_ours(host: str, address: str, names: Iterable[str]) -> bool:
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found["six"] or found["name"]
    if name in names or (name == _LOCALHOST and is_loopback(address)):
        return True
    try:
        return _address(name) == _address(address)
    except ValueError:
        return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 address in IPv6 clothes, as sockets for both give it, is itself. Raises ValueError."""
    found = ipaddress.ip_address(text.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _is_own_site(asked: Asked, host: str) -> bool:
    """Whether no browser says that another site's page asks; programs say nothing of the kind."""
    if not {value.lower() for value in asked.all("sec-fetch-site")} <= _OWN_SITE:
        return False
    origins = [_ORIGIN.fullmatch(value.lower()) for value in asked.all("origin")]
    return all(origin is not None and origin[1] == host for origin in origins)


def _knows(given: list[str], token: str) -> bool:
    if len(given) != 1:
        return False
    scheme, _, said = given[0].partition(" ")
    same = hmac.compare_digest(said.strip().encode("latin-1"), token.encode())
    return same and scheme.lower() == "bearer"
