"""Which peers may come without TLS, by the name that gRPC gives them."""

from ipaddress import ip_network

import pytest

from aerlock_gateway.rpc.peers import may_come_in_plaintext

NETWORKS = (ip_network("10.1.0.0/16"), ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    "peer",
    [
        "unix:",
        "unix:/run/socket",
        "ipv4:127.0.0.1:5",
        "ipv4:10.1.2.3:5",
        "ipv6:%5B::1%5D:5",
        "ipv6:[2001:db8::7]:5",
        "ipv6:%5B::ffff:10.1.2.3%5D:5",
        "ipv6:%5B::ffff:127.0.0.1%5D:5",
    ],
)
def test_peer_of_this_machine_or_a_named_network_may_come(peer):
    assert may_come_in_plaintext(peer, NETWORKS)


@pytest.mark.parametrize(
    "peer",
    [
        "",
        "ipv4:10.2.0.1:5",
        "ipv4:192.0.2.1:5",
        "ipv6:%5B2001:db9::1%5D:5",
        "ipv6:%5B::ffff:10.2.0.1%5D:5",
        "ipv6:%5Bfe80::1%25eth0%5D:5",
        "ipv4:10.1.2.3",
        "dns:localhost:5",
        "nonsense",
        "unixx:/socket",
    ],
)
def test_peer_from_elsewhere_or_of_another_form_may_not_come(peer):
    assert not may_come_in_plaintext(peer, NETWORKS)
