"""Files that others wrote: the public YAML test suite, and every file of a repository.

Set YAML_TEST_SUITE to a checkout of yaml/yaml-test-suite, and CORPUS to repositories, separated by colons (this
project's own files by default).
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gitops_sre import yamltext
from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import OPENED, Scalar, YamlTextError

SUITE = os.environ.get("YAML_TEST_SUITE", "")
CORPUS = [Path(folder) for folder in os.environ.get("CORPUS", str(Path(__file__).parents[2])).split(":")]
READ = (".yaml", ".yml", ".json", ".env", ".properties")
MARKS = {"␣": " ", "»": "\t", "———": "", "—": "", "←": "\r", "⇔": "\ufeff", "↵": "", "∎\n": ""}
"""How the suite writes characters that cannot be seen."""


def suite() -> Iterator[tuple[str, str]]:
    """Each case of the suite that is valid YAML."""
    for path in sorted(Path(SUITE).glob("src/*.yaml")):
        for number, case in enumerate(yaml.safe_load(path.read_text("utf-8"))):
            text = case.get("yaml", "")
            for mark, meant in MARKS.items():
                text = text.replace(mark, meant)
            if not case.get("fail"):
                yield f"{path.stem}-{number}", text


def corpus(repository: Path) -> Iterator[tuple[str, str]]:
    """Each file at a repository's head that the product reads as values."""
    git = ["git", "-C", str(repository)]
    names = subprocess.run([*git, "ls-tree", "-rz", "--name-only", "HEAD"], check=True, capture_output=True).stdout
    for name in names.decode().split("\0"):
        if name.endswith(READ):
            found = subprocess.run([*git, "cat-file", "blob", f"HEAD:{name}"], check=True, capture_output=True).stdout
            yield name, found.decode("utf-8", "surrogateescape")


def check(text: str) -> tuple[Scalar, ...]:
    """Both readers agree; every scalar put in its own place gives the same bytes. Raises YamlTextError."""
    scalars = yamltext.scalars(text)
    assert yamltext.leaves(text) == {scalar.place: scalar.value for scalar in scalars}
    assert yamltext.scalars(text, fast=True) == scalars
    known = [scalar for scalar in yamltext.scalars(text, opened=True) if not scalar.type.startswith("!")]
    whole = [scalar for scalar in known if OPENED not in scalar.path]
    assert yamltext.splice_raw(text, [(*scalar.place, scalar.raw) for scalar in whole]) == text
    for scalar in known[:: max(1, len(known) // 20)]:
        assert yamltext.splice_raw(text, [(*scalar.place, scalar.raw)]) == text
    return scalars


def edited(text: str, scalar: Scalar) -> str:
    """How an edit of a scalar, its removal, and an insertion beside it ended; what was made was taken back."""
    number, path = scalar.place
    edits = [FieldEdit("f", number, path, scalar.value, "w-1", "", "")]
    if path:
        edits += [FieldEdit("f", number, path, scalar.value, None, "", "")]
        edits += [FieldEdit("f", number, (*path[:-1], "n-1"), None, "w-1", "", "")]
    ends = []
    for edit in edits:
        try:
            made = yamltext.rewrite(text, [edit])
        except YamlTextError:
            ends.append("refused")
            continue
        ends.append("made")
        assert yamltext.rewrite(made.text, [each.inverted() for each in reversed(made.edits)]).text == text
    return "/".join(ends)


def survey(files: Iterator[tuple[str, str]]) -> Counter[str]:
    """Check all files, and count how the edits ended."""
    counts: Counter[str] = Counter()
    for _, text in files:
        try:
            scalars = check(text)
        except YamlTextError:
            counts["not read"] += 1
            continue
        counts["read"] += 1
        counts["scalars"] += len(scalars)
        for scalar in scalars[:: max(1, len(scalars) // 3)]:
            counts[edited(text, scalar)] += 1
    return counts


if SUITE:

    def test_the_public_test_suite_is_edited_exactly_or_refused() -> None:
        counts = survey(suite())
        print(dict(counts))
        assert counts["read"] > 200


@pytest.mark.parametrize("repository", CORPUS, ids=lambda path: path.name)
def test_every_file_of_a_repository_is_edited_exactly_or_refused(repository: Path) -> None:
    counts = survey(corpus(repository))
    print(repository.name, dict(counts))
    assert counts["read"] > 0.9 * (counts["read"] + counts["not read"])
