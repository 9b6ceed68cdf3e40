from __future__ import annotations

import os
import socket
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runtime.hosts_file import HostsFile, parse

V4, V6 = socket.AF_INET, socket.AF_INET6


def test_names_and_aliases_have_the_addresses_of_their_lines_in_order() -> None:
    text = b"""
    # a comment
    127.0.0.1\tlocalhost
    ::1 localhost ip6-localhost   # both families
    10.0.0.7  Hooks.example. hooks
    10.0.0.8  hooks
    10.0.0.8  hooks
    not-an-address name
    fe80::1%eth0 scoped
    10.0.0.9
    """
    assert parse(text) == {
        "localhost": [(V4, "127.0.0.1"), (V6, "::1")],
        "ip6-localhost": [(V6, "::1")],
        "hooks.example": [(V4, "10.0.0.7")],
        "hooks": [(V4, "10.0.0.7"), (V4, "10.0.0.8")],
        "scoped": [(V6, "fe80::1%eth0")],
    }


def test_a_file_that_changes_is_read_again_and_one_that_is_gone_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    hosts = HostsFile(path)
    assert hosts.addresses("hooks") == ()
    path.write_text("10.0.0.7 hooks\n")
    assert hosts.addresses("hooks") == [(V4, "10.0.0.7")]
    path.write_text("10.0.0.8 hooks\n")
    os.utime(path, ns=(1, 1))
    assert hosts.addresses("hooks") == [(V4, "10.0.0.8")]
    path.unlink()
    assert hosts.addresses("hooks") == ()


@given(st.binary(max_size=200))
def test_no_bytes_raise(text: bytes) -> None:
    parse(text)
