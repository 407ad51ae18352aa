"""Documentation that is taken from the code is what the code says; what the README shows is rendered with kubectl."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.gitops.infra import tool

ROOT = Path(__file__).resolve().parent.parent


@tool("kubectl")
def test_generated_docs_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
