"""Ticks on their way out: the text format, OpenMetrics and remote write."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from gitops_sre.sandbox.telemetry.exposition import METRICS, text, write_openmetrics
from gitops_sre.sandbox.telemetry.model import Simulation
from gitops_sre.sandbox.telemetry.prometheus import free_port
from gitops_sre.sandbox.telemetry.remote_write import push, snappy_block, write_request
from gitops_sre.sandbox.telemetry.series import Tick, series
from tests.sandbox.telemetry.conftest import BASE, Both, needs_prometheus, world


def tick() -> Tick:
    return Simulation(1).step(BASE, 1, world())


def test_each_family_is_introduced_once_and_its_samples_follow() -> None:
    lines = text(tick()).splitlines()
    heads = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert sorted(heads) == sorted(METRICS)
    family = ""
    for line in lines:
        if line.startswith("# HELP"):
            family = line.split()[2]
        elif not line.startswith("#"):
            assert line.startswith(family)


def test_samples_carry_their_tick_s_time_in_milliseconds() -> None:
    assert f'\nup{{environment="dev",namespace="dev",service="web"}} 1.0000 {BASE}000\n' in text(tick())


def test_openmetrics_carries_seconds_and_an_end(tmp_path: Path) -> None:
    file = tmp_path / "om.txt"
    write_openmetrics(file, [Tick(BASE + 0.25, [(series("a_total", b="100%"), 1.23456)])])
    assert file.read_text() == f'a_total{{b="100%"}} 1.2346 {BASE}.250\n# EOF\n'


def test_nothing_to_show_is_an_empty_text() -> None:
    assert text(Tick(0, [])) == ""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="not on PATH: promtool (Debian: prometheus)")
def test_promtool_finds_nothing_to_object_to() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text(tick()), capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_write_request_holds_sorted_labels_and_the_sample() -> None:
    (at, value) = (0.3, 1.0)
    request = write_request([Tick(at, [(series("m", z="1", a="2"), value)])])
    labels = b"\x0a\x0d\x0a\x08__name__\x12\x01m" + b"\x0a\x06\x0a\x01a\x12\x012" + b"\x0a\x06\x0a\x01z\x12\x011"
    sample = b"\x12\x0c\x09" + struct.pack("<d", value) + b"\x10\xac\x02"  # 300 ms as a varint
    assert request == b"\x0a" + bytes([len(labels + sample)]) + labels + sample


def test_snappy_without_compression_is_one_literal() -> None:
    assert snappy_block(b"abc") == b"\x03\xfc\x02\x00\x00\x00abc"
    assert snappy_block(b"") == b"\x00"


def test_a_receiver_that_is_not_there_can_be_tried_again() -> None:
    with pytest.raises(OSError, match="refused"):
        push(f"http://127.0.0.1:{free_port()}", [tick()])


@needs_prometheus
def test_what_prometheus_refuses_for_good_is_said(both: Both) -> None:
    with pytest.raises(ValueError, match=r"refused samples \(400\)"):
        push(both.url, [Tick(BASE - 10**6, [(series("bad name", a="b"), 1.0)])])
