"""What clients of the live server may take, all together and each."""

import dataclasses
import ipaddress


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of a server.

    Attributes:
        max_streams: at the same time: the places.
        max_per_address: places of one address; None: half of all, at least one. Loopback
            addresses, behind which a proxy may be, have all.
        max_waiting: clients that wait for a place; the next one is refused. Of one address no
            more than it may have places.
        wait_s: seconds that a client waits for a place before it is refused.
        max_message_bytes: of one message.
        idle_s: seconds without a message from the client, or without it taking one.
        drain_s: seconds that running streams have to end when the server is to stop.
    """

    max_streams: int = 8
    max_per_address: int | None = None
    max_waiting: int = 32
    wait_s: float = 5.0
    max_message_bytes: int = 64 * 1024
    idle_s: float = 30.0
    drain_s: float = 8.0

    @property
    def max_connections(self) -> int:
        """Open sockets: those of streams, of clients that wait, and of as many pages at a time."""
        return 2 * (self.max_streams + self.max_waiting)

    def places_of(self, address: str) -> int:
        """Places that an address may have."""
        if is_loopback(address):
            return self.max_streams
        if self.max_per_address is None:
            return max(1, self.max_streams // 2)
        return min(self.max_streams, self.max_per_address)

    def waiting_of(self, address: str) -> int:
        """Clients of an address that may wait for a place."""
        return self.max_waiting if is_loopback(address) else self.places_of(address)


def is_loopback(address: str) -> bool:
    """Whether it is one of this machine alone."""
    try:
        return ipaddress.ip_network(address, strict=False).is_loopback
    except ValueError:
        return False


def client_address(given: str) -> str:
    """What counts as one client: an IPv4 address, or the 64 bits that an IPv6 network has.

    Args:
        given: of its socket, maybe with a zone, or what a proxy says; kept if it is neither.
    """
    try:
        address = ipaddress.ip_address(given.partition("%")[0].strip())
    except ValueError:
        return given
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address.is_loopback:
        return str(address)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
