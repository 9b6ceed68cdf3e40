from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.guard import AddressRefused, Ip, check, guarded_socket, refused

v4 = st.ip_addresses(v=4)


def disguises(ip: ipaddress.IPv4Address) -> list[ipaddress.IPv6Address]:
    number = int(ip)
    forms = [
        (0xFFFF << 32) | number,
        number,
        (0x0064FF9B << 96) | number,
        (0x2002 << 112) | (number << 80),
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),
    ]
    return [ipaddress.IPv6Address(form) for form in forms]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.0.3", "loopback"),
        ("10.0.0.5", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("169.254.1.1", "link-local"),
        ("169.254.169.254", "metadata"),
        ("100.64.0.1", "CGNAT"),
        ("0.0.0.0", "this host"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("198.18.0.1", "benchmarks"),
        ("::1", "loopback"),
        ("::", "this host"),
        ("fe80::1", "link-local"),
        ("fd12::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("ff02::1", "multicast"),
        ("::ffff:10.0.0.1", "IPv4-mapped, for 10.0.0.1 (private)"),
        ("64:ff9b::7f00:1", "NAT64, for 127.0.0.1 (loopback)"),
        ("64:ff9b::808:808", "NAT64"),
        ("2002:7f00:1::", "6to4"),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", "Teredo"),
        ("2001:db8::1", "documentation"),
        ("4000::1", "not a public address"),
    ],
)  # fmt: skip
def test_addresses_inside_are_refused_with_the_reason(address: str, reason: str) -> None:
    assert reason in (refused(ipaddress.ip_address(address)) or "allowed")


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_not(address: str) -> None:
    assert refused(ipaddress.ip_address(address)) is None


@given(v4)
def test_no_disguise_lets_through_what_is_refused_in_plain_form(ip: ipaddress.IPv4Address) -> None:
    if refused(ip) is not None:
        assert all(refused(form) is not None for form in disguises(ip) if form != ipaddress.IPv6Address("::1"))


@given(st.one_of(v4, st.ip_addresses(v=6)))
def test_what_python_calls_private_is_refused(ip: Ip) -> None:
    if not ip.is_global and not (isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped):
        assert refused(ip) is not None


@given(v4)
def test_allow_lifts_the_refusal_of_what_it_holds_and_of_nothing_else(ip: ipaddress.IPv4Address) -> None:
    own = [ipaddress.ip_network(ip)]
    assert refused(ip, own) is None
    assert all(refused(form, own) is None for form in disguises(ip)[:1])
    other = ipaddress.IPv4Address((int(ip) + 1) % 2**32)
    assert refused(other, own) == refused(other)


def test_the_error_names_the_remedy() -> None:
    with pytest.raises(AddressRefused, match=r"address 10\.0\.0\.5 is private: add it to network\.allow"):
        check("10.0.0.5", [])
    check("10.0.0.5", [ipaddress.ip_network("10.0.0.0/8")])


def test_a_zone_does_not_hide_an_address() -> None:
    with pytest.raises(AddressRefused, match="link-local"):
        check("fe80::1%eth0", [])


def test_no_socket_is_made_for_a_refused_address() -> None:
    make = guarded_socket([])
    with pytest.raises(AddressRefused):
        make((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80)))
    made = make((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("93.184.216.34", 80)))
    made.close()


INSIDE = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "0.0.0.0/8"]
inside = st.sampled_from(INSIDE).flatmap(lambda network: st.ip_addresses(v=4, network=network))


def spellings(ip: ipaddress.IPv4Address) -> list[str]:
    """What resolvers take for this address: besides the dotted form decimal, octal, hexadecimal and shortened ones."""
    a, b, c, d = ip.packed
    number = int(ip)
    return [
        *(str(ip), str(number), hex(number), hex(number).upper().replace("X", "x"), f"0{number:o}"),
        *(f"{a}.{(b << 16) | (c << 8) | d}", f"{a}.{b}.{(c << 8) | d}", f"0x{a:x}.{b}.0{c:o}.{d}"),
        *(str(form) for form in disguises(ip)),
        f"::ffff:{ip}",
    ]


@given(inside)
def test_however_an_address_inside_is_written_no_socket_is_made_for_it(ip: ipaddress.IPv4Address) -> None:
    make = guarded_socket([])
    for written in spellings(ip):
        found = socket.getaddrinfo(written, 80, type=socket.SOCK_STREAM)
        assert found
        for info in found:
            with pytest.raises(AddressRefused):
                make(info)
