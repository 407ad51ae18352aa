"""Hostile files cost little, build no objects, and end in one line that says why; the fast reader is no way around."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre import yamltext
from gitops_sre.yamltext import YamlTextError

BOMB = "\n".join(["a0: &a0 x", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))])
READERS = [yamltext.scalars, yamltext.leaves]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "text",
    [BOMB, "v: |\n  x: 1\n" + BOMB, "a: &a [*a]\n", "a: &a {b: *a}\n", "[" * 100_000, "{a: " * 90, "- " * 5_000 + "x",
     "a: \x00\n", "a: \x07\n", "a: 1\na: 2\n", "%YAML 9.9.9\n---\na: 1\n", "%YAML 1.3\n---\na: {\n", '"\\UFFFFFFFF"\n',
     "? [a]\n: b\n", "a: *b\n", "!<" + "x" * 999 + "\n", "a: 1\n--- {{ x }}\n", "x" * (yamltext.MAX_SIZE + 1)],
    ids=lambda text: repr(text)[:20],
)  # fmt: skip
def test_a_hostile_file_is_refused_in_time(reader: Callable[[str], object], text: str) -> None:
    began = time.monotonic()
    with pytest.raises(YamlTextError) as refusal:
        reader(text)
    assert time.monotonic() - began < 5
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_a_bomb_in_a_block_stays_text() -> None:
    text = "v: |\n" + "".join(f"  {line}\n" for line in BOMB.split("\n"))
    assert [scalar.path for scalar in yamltext.scalars(text)] == [("v",)]


@pytest.mark.parametrize("reader", READERS)
def test_tags_build_nothing(reader: Callable[[str], object]) -> None:
    assert reader("a: !!python/object/apply:os.system [id]\nb: !!python/name:os.system x\n")


@given(st.text(st.sampled_from("ab:-?#&*!|>'\"%@`{}[], \n\t\r\ufeff\u202e\x85\u2028é|yaml"), max_size=40))
def test_both_readers_agree_on_any_text_that_is_read(text: str) -> None:
    try:
        exact = yamltext.scalars(text)
    except YamlTextError:
        return
    assert yamltext.leaves(text) == {scalar.place: scalar.value for scalar in exact}
