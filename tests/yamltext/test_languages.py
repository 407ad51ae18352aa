"""Files of `KEY=value` lines and files that hold one token are told by their content."""

from __future__ import annotations

import pytest

from gitops_sre import yamltext
from gitops_sre.model.change import FieldEdit

SETTINGS = '# head\nTAG=v1.2\nexport NAME=\'x y\'\n\n# last\nlog.level = info # now\nEMPTY=\nQ="a \\"b\\""\n'


def edited(text: str, path: tuple[str, ...], before: str | None, after: str | None, raw: str = "") -> str:
    made = yamltext.rewrite(text, [FieldEdit("f", 0, path, before, after, "", raw)])
    assert yamltext.rewrite(made.text, [made.edits[0].inverted()]).text == text
    return made.text


def test_settings_are_read_by_their_key() -> None:
    assert yamltext.leaves(SETTINGS) == {
        (0, ("TAG",)): "v1.2", (0, ("NAME",)): "x y", (0, ("log.level",)): "info", (0, ("EMPTY",)): "",
        (0, ("Q",)): 'a "b"',
    }  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("key", "before", "after", "old", "new"),
    [
        ("TAG", "v1.2", "1.10", "v1.2", "1.10"),
        ("NAME", "x y", "on", "'x y'", "'on'"),
        ("log.level", "info", "warn", "info #", "warn #"),
        ("EMPTY", "", "x", "EMPTY=", "EMPTY=x"),
        ("TAG", "v1.2", "", "v1.2", ""),
        ("TAG", "v1.2", "a b", "v1.2", '"a b"'),
        ("NEW", None, "3", '\\""\n', '\\""\nNEW=3\n'),
        ("NAME", "x y", None, "export NAME='x y'\n", ""),
        ("log.level", "info", None, "\n# last\nlog.level = info # now\n", ""),
    ],
)
def test_a_setting_is_edited_without_the_quotes_of_yaml(
    key: str, before: str | None, after: str | None, old: str, new: str, end: str
) -> None:
    text = SETTINGS.replace("\n", end)
    assert edited(text, (key,), before, after) == text.replace(old.replace("\n", end), new.replace("\n", end), 1)


def test_quotes_that_an_action_chose_for_yaml_are_left_out() -> None:
    assert edited("A=1\n", ("A",), "1", "1.10", '"1.10"') == "A=1.10\n"
    assert edited("v1.2.3\n", (), "v1.2.3", "1.10", '"1.10"') == "1.10\n"


@pytest.mark.parametrize("text", ["v1.2.3", "v1.2.3\n", "sha256:00ff\r\n", "\ufeffv1\n", "1.10\n"])
def test_a_token_is_the_whole_document(text: str) -> None:
    token = text.strip("\ufeff\r\n")
    assert yamltext.leaves(text) == {(0, ()): token}
    assert edited(text, (), token, "0123") == text.replace(token, "0123")


@pytest.mark.parametrize("text", ["a=b: c\n", "A=1\nA=2\n", "A=1\nb: 2\n", "a: A=1\n", "A = [1,\n2]\n"])
def test_anything_else_is_yaml(text: str) -> None:
    try:
        assert (0, ("A",)) not in yamltext.leaves(text)
    except yamltext.YamlTextError:
        assert "A" in text
