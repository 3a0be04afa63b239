"""Where webhooks may go: over TLS to public addresses, looked at after the name was resolved and for that connection.

A name that is public when a webhook is made may lead inside when it is used; so what counts is the address that is
connected to, which is why the check is the connection's own resolver.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from contracts.refusals import Refusal

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PROTOCOLS = ipaddress.ip_network("192.0.0.0/24")
"""Set aside for protocols (RFC 6890); not every version of Python says that it is not of the internet."""
_TRANSLATED = (ipaddress.ip_network("64:ff9b:1::/48"), ipaddress.ip_network("2002::/16"))
"""Local-use NAT64 (RFC 8215) and 6to4: they lead to IPv4 addresses that are not looked at here."""
_PLATFORM = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.88.99.0/24"))
"""Public by their numbers only: what Azure answers its machines on, and the way to 6to4 (RFC 7526)."""


class PrivateAddress(OSError):
    """A name leads to where webhooks must not go."""


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, and of one machine: not private, loopback, link-local, shared,
    reserved or multicast; of addresses that hold an IPv4 address, that one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            ip = inner
        elif any(ip in network for network in _TRANSLATED) or ip.teredo is not None or ip.is_site_local:
            return False
    if any(ip in network for network in _PLATFORM):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip in _PROTOCOLS)


def refuse_address(url: str, *, private: bool) -> None:
    """What can be said of an address before its name is resolved. Raises Refusal."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _refused("bad_format", f"This is no address: {error}.") from error
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused("bad_format", "An address is printable ASCII without spaces.")
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise _refused("not_https", f"The scheme is {parts.scheme or 'missing'}.")
    if not host or port == 0:
        raise _refused("bad_format", "The address names no host.")
    if "%" in host:
        raise _refused("bad_format", "The host has a percent sign.")
    if parts.username is not None or parts.password is not None:
        raise _refused("bad_format", "The address carries a name or password.")
    if parts.fragment:
        raise _refused("bad_format", "The address has a fragment.")
    if not private:
        _refuse_host(host)


def _refuse_host(host: str) -> None:
    try:
        public = is_public(host)
    except ValueError:
        # A name. Numbers that resolvers take for addresses (127.1, 0x7f000001) have no letters at their end.
        last = host.rstrip(".").rpartition(".")[2]
        public = "." in host.rstrip(".") and not (last.isdecimal() or last.startswith("0x"))
        public = public and last not in ("localhost", "local", "internal")
    if not public:
        raise _refused("not_public", f"{host[:100]} is no public host.")


def _refused(code: str, detail: str) -> Refusal:
    remedy = "Send an https:// address of a public host, without a user name, such as https://shop.example/tongqu."
    return Refusal(code, detail, remedy=remedy, field="url")


class PublicOnly(AbstractResolver):
    """Resolves names for one connection, and raises PrivateAddress when any of their addresses is not public, and when
    there is none. Which it is, and where a name leads, is not said: partners read why a webhook failed, and could else
    ask our resolver about names that only it knows."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            found = await self._resolver.resolve(host, port, family)
        except OSError as error:
            raise _leads_nowhere(host) from error
        if not all(is_public(one["host"]) for one in found):
            raise _leads_nowhere(host)
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _leads_nowhere(host: str) -> PrivateAddress:
    return PrivateAddress(f"{host} leads to no address, or to one that is not public")
