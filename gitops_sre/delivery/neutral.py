"""Text from outside, made harmless in GitHub's Markdown and honest to the eye.

Whatever an alert, a commit, a label or a model says can end up in a pull request. It must not mention people, link,
load images (which leak by being fetched), break a table, close a fence, or look like something that it is not. Nor may
it show a secret: what looks like one is redacted.
"""

from __future__ import annotations

import re
import unicodedata

from gitops_sre.redact import redact


class Safe(str):
    """Markdown that is ours or has been made harmless."""

    __slots__ = ()


_LOOKALIKES = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "FULLWIDTH", "MATHEMATICAL")
"""First words of the Unicode names of letters that pass for Latin ones."""
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0}
"""Blank, yet of a visible category: grapheme joiner, Hangul fillers, empty Braille cell."""
_WORD = re.compile(r"[\w./-]+")
_SCHEME = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*):(?=//)|\b(mailto|xmpp|javascript|data):")
_WWW = re.compile(r"(?i)\bwww\.")
_REFERENCE = re.compile(r"(?i)#(?=\d)|\bGH-(?=\d)")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~$])")


def visible(text: str) -> str:
    """The text with everything hidden or disguised shown as `⟨U+XXXX⟩`; newlines and tabs stay.

    Hidden: control, format (bidirectional marks, zero-width, tags), unassigned, private, line and paragraph separators,
    variation selectors. Disguised: a letter of a look-alike script in a word that has Latin letters too.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = _WORD.sub(lambda word: _undisguised(word[0]), text)
    return "".join(_mark(char) if _hidden(char) else char for char in shown)


def plain(text: object, limit: int = 600) -> Safe:
    """One line of inert prose: no mention, reference, link, image, HTML, emphasis or column break."""
    line = _line(str(text), limit)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Safe(_MARKDOWN.sub(r"\\\1", _unlinked(line)))


def code(text: object, limit: int = 200) -> Safe:
    """A code span, in which GitHub neither mentions nor links; fit for a table cell."""
    line = _line(str(text), limit).replace("|", "¦")
    if not line:
        return Safe("(empty)")
    ticks = "`" * (_longest(line, "`") + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return Safe(f"{ticks}{pad}{line}{pad}{ticks}")


def fence(text: str, language: str = "") -> Safe:
    """A code block whose fence is longer than any run of backticks in the text."""
    shown = visible(redact(text.replace("\r\n", "\n"))).rstrip("\n")
    ticks = "`" * max(3, _longest(shown, "`") + 1)
    return Safe(f"{ticks}{language}\n{shown}\n{ticks}")


def title(text: object, limit: int = 120) -> str:
    """One line for a title or a commit message, which GitHub shows without Markdown but reads for `fixes #1`."""
    return _unaddressed(_line(str(text), limit))


def spoken(text: object, limit: int = 300) -> str:
    """One line for a chat, a mail or a pager, each with a markup of its own: no mention, link or tag of any of them."""
    return _unlinked(_line(str(text), limit)).translate(_MARKUP)


_MARKUP = str.maketrans({"<": "‹", ">": "›", "&": "＆", "`": "'", "*": "∗", "~": "∼", "|": "¦", "[": "⁅", "]": "⁆"})
"""Characters that chats give a meaning, and those that look like them."""


def _unlinked(line: str) -> str:
    """Without what would become a link, and without mentions and references."""
    line = _SCHEME.sub(lambda match: f"{match[1] or match[2]}[:]", line)
    return _unaddressed(_WWW.sub("www[.]", line))


def _unaddressed(line: str) -> str:
    """Without mentions and references: full-width signs look alike, and GitHub looks past them."""
    return _REFERENCE.sub(lambda match: match[0].replace("#", "＃").replace("-", "‑"), line).replace("@", "＠")


def _line(text: str, limit: int) -> str:
    line = visible(" ".join(redact(text[: 4 * limit]).split()))
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1] + "…"


def _longest(text: str, char: str) -> int:
    return max((len(run) for run in re.findall(re.escape(char) + "+", text)), default=0)


def _mark(char: str) -> str:
    return f"⟨U+{ord(char):04X}⟩"


def _hidden(char: str) -> bool:
    if char in "\n\t":
        return False
    point = ord(char)
    selector = 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF or 0x180B <= point <= 0x180F
    return selector or point in _INVISIBLE or unicodedata.category(char) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def _undisguised(word: str) -> str:
    if word.isascii() or not any(char.isascii() and char.isalpha() for char in word):
        return word
    return "".join(_mark(char) if unicodedata.name(char, "").startswith(_LOOKALIKES) else char for char in word)
