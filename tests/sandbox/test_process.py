"""The embedded world as a process: what it says to those who wait for it."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

from gitops_sre.sandbox.__main__ import write_private


def test_who_waits_for_the_announcement_never_reads_a_part_of_it(tmp_path: Path) -> None:
    path, text, over = tmp_path / "world.json", json.dumps(["word"] * 20_000), threading.Event()
    read: set[str] = set()

    def look() -> None:
        while not over.is_set():
            if path.exists():
                read.add(path.read_text())

    waiting = threading.Thread(target=look)
    waiting.start()
    for _ in range(200):
        write_private(path, text)
    over.set()
    waiting.join()
    assert read == {text}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["world.json"]
