"""Documentation that is taken from the code is what the code says; what the README shows is rendered with kubectl."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gitops.infra import tool

ROOT = Path(__file__).resolve().parent.parent


@tool("kubectl")
def test_generated_docs_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", ["github.md", "safety.md"])
def test_each_test_that_a_table_names_is_there(page: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`((?::(?: `test_\w+`,?)+)?)", (ROOT / "docs" / page).read_text())
    assert named
    for file, tests in named:
        text = (ROOT / file).read_text()
        for name in re.findall(r"`(test_\w+)`", tests):
            assert re.search(rf"^ *def {name}\(", text, re.MULTILINE), (
                f"{page} names {name}, which {file} does not have"
            )
