"""The wall around a process. It cannot be taken down, so that each test is a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.receivers import web


def run(code: str) -> str:
    """What a process says that has a wall."""
    begin = "from gitops_sre.adapters import wall\nfrom gitops_sre.adapters.prometheus import Prometheus\n"
    ended = subprocess.run(
        [sys.executable, "-c", begin + textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize(
    ("listed", "wanted", "through"),
    [
        ("'api.example.com'", "api.example.com", True),
        ("'*.example.com'", "API.example.com", True),
        ("'*.example.com'", "example.com", False),
        ("'example.com'", "169.254.169.254", False),
        ("'example.com'", "example.com.evil.example", False),
    ],
)
def test_only_what_is_listed_is_looked_up(listed: str, wanted: str, through: bool) -> None:
    """Through: the name is looked up, and (here) not found."""
    said = run(
        f"""
        import socket
        wall.only([{listed}])
        try:
            socket.getaddrinfo({wanted!r}, 80)
            print("found")
        except wall.HostError as error:
            print("wall", error)
        except socket.gaierror:
            print("not found")
        """
    )
    assert said.startswith("wall") is not through
    assert through or "network.only; add it there" in said


def test_a_client_says_what_is_to_be_done() -> None:
    with web() as server:
        said = run(
            f"""
            from gitops_sre.settings import PrometheusSettings
            wall.only(["example.com"])
            source = Prometheus(PrometheusSettings(url="http://not-listed.example:{server.port}"), {{}})
            print(source.names())
            """
        )
        assert server.got == []
    assert "Unavailable" in said


def test_without_a_list_there_is_no_wall_and_a_later_list_adds_to_it() -> None:
    assert (
        run(
            """
            import socket
            wall.only([])
            socket.getaddrinfo("127.0.0.1", 80)
            wall.only(["one.example"])
            wall.only(["10.0.0.1"])
            socket.getaddrinfo("10.0.0.1", 80)
            print("both")
            """
        )
        == "both"
    )
