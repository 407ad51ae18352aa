from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gitops_sre.delivery.neutral import code, fence, plain, title, visible

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HARMLESS = {"text", "code_inline", "text_special"}
NASTY = (
    "@acme/sre please",
    "![x](https://evil.test/?leak=1)",
    "[click](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    "https://evil.test/a?b=c www.evil.test mailto:a@evil.test",
    "a | b \\| c",
    "`` ` ```` code",
    "fixes #12, GH-7, acme/infra#3",
    "line\n\n# heading\n- item\n```\nfence",
    "**bold** _em_ ~~gone~~ $x^2$",
    "\\",
    "trailing \\",
    "&lt;b&gt; &#64;all",
    "\u202egnp.exe \u200bzero \U000e0041tag",
)
texts = st.text(st.sampled_from("ab @#|`*_[]()<>!\\~$&\n\t:/.-1wGH\u202e\u200b") | st.characters(), max_size=60)


def inline(markdown: str) -> list[Token]:
    return [child for token in MARKDOWN.parse(markdown) for child in token.children or []]


@settings(deadline=None)
@given(texts)
@example(NASTY[5])
@example(NASTY[11])
def test_no_text_breaks_a_table_or_becomes_markup(text: str) -> None:
    tokens = MARKDOWN.parse(
        f"| a | b | c | d |\n|-|-|-|-|\n| x {plain(text)} | {plain(text)} x | {code(text)} | d |\n\nend"
    )
    assert [token.type for token in tokens].count("td_open") == 4
    assert {child.type for token in tokens for child in token.children or []} <= HARMLESS
    assert tokens[-2].content == "end"


@pytest.mark.parametrize("text", NASTY)
def test_prose_neither_mentions_nor_links_nor_shows_images(text: str) -> None:
    shown = plain(text)
    assert "@" not in shown
    assert "://" not in shown
    assert "www." not in shown
    assert "\n" not in shown
    assert {token.type for token in inline(f"So: {shown}")} <= HARMLESS
    rendered = MARKDOWN.render(f"So: {shown}")
    assert not any(tag in rendered for tag in ("<a ", "<img", "<em", "<strong", "<h1", "<li", "<pre"))


def test_references_that_would_notify_other_issues_are_broken() -> None:
    assert "#1" not in plain("fixes #12")
    assert "GH-" not in plain("GH-7")
    assert "#1" not in title("fixes #12")
    assert "@" not in title("ping @oncall")


@settings(deadline=None)
@given(texts)
def test_nothing_hidden_is_left(text: str) -> None:
    for shown in (visible(text), plain(text), code(text), fence(text)):
        hidden = {char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co"}} - {"\n", "\t"}
        assert not hidden


def test_hidden_and_disguised_characters_are_shown() -> None:
    assert code("check\u200bout") == "`check⟨U+200B⟩out`"
    assert code("\u202egnp") == "`⟨U+202E⟩gnp`"
    assert code("сheckout") == "`⟨U+0441⟩heckout`"
    assert visible("apps/сосоа/values.yaml") == "apps/" + "".join(f"⟨U+{ord(c):04X}⟩" for c in "сосоа") + "/values.yaml"
    assert visible("naïve café, платежи и 支払い") == "naïve café, платежи и 支払い"


@settings(deadline=None)
@given(texts)
def test_a_fence_holds_whatever_is_in_it(text: str) -> None:
    tokens = MARKDOWN.parse(f"{fence(text, 'diff')}\n\nend")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]


@settings(deadline=None)
@given(st.text(max_size=400), st.integers(5, 50))
def test_lengths_are_bounded(text: str, limit: int) -> None:
    assert len(title(text, limit)) <= limit
    assert len(code(text, limit)) <= 2 * limit + 4


def test_an_empty_value_is_said_to_be_empty() -> None:
    assert code("") == "(empty)"
    assert plain("") == ""
