"""Secrets taken out of text: one place that knows what they look like, used wherever text leaves the bot or is kept.

What is recognised has a form of its own (tokens, keys, JWT), stands in a place for secrets (a URL's user, an
authorization header) or has a name that says so (`password=...`, `token: ...`). A secret that looks like a word and has
no name is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HIDDEN = "***"

_NAMED = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|authorization|api[_-]?key|access[_-]?key(?:[_-]?id)?"
    r"|account[_-]?key|private[_-]?key|signing[_-]?key|secret[_-]?key|client-key-data|client-certificate-data|auth"
)
_NAME = rf"(?:[A-Za-z0-9]{{1,40}}[_.-]){{0,6}}?(?:{_NAMED})"
_VALUE = r"[^\s\"'\\,;&<>|\[\](){}]{4,}"
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----"
    r"(?:(?!-----BEGIN).)*?-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----"
    r"|-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?:[A-Za-z0-9+/=\s]|\\n)*",
    re.DOTALL,
)
_SHAPES = re.compile(
    r"\bgh[pousr]_[A-Za-z0-9]{16,}"
    r"|\bgithub_pat_[A-Za-z0-9_]{16,}"
    r"|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"
    r"|\bsk-[A-Za-z0-9_-]{16,}"
    r"|\bAIza[A-Za-z0-9_-]{30,}"
    r"|(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[^\s\"'<>)]+"
    r"|(?<=\.webhook\.office\.com/)[^\s\"'<>)]+"
)
_USERINFO = re.compile(r"(?<=://)([^/\s:@\"'<>]*):[^/\s@\"'<>]+@")
_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/-]{8,}=*")
_ASSIGNED = re.compile(
    rf"(?i)(?<![A-Za-z0-9])({_NAME})([\"']?\s*[:=]\s*(?:[\"'\\]|&quot;)*)({_VALUE})(\s*->\s*)?(?(4)({_VALUE})|)"
)
_GAP = r"(?:\\n|[\s,+\"'\\-])*"
_ITEM = re.compile(rf"(?i)(\bname[\"'\\]*\s*[:=]{_GAP}{_NAME}{_GAP}value[\"'\\]*\s*[:=]{_GAP})({_VALUE})")
"""A container's variable, in YAML, in JSON or in a diff of either."""
_HARMLESS = re.compile(r"(?i)(?:true|false|null|none|\*+|required|missing|expired|invalid|bearer|basic|\d{1,6})[.:]?")
_KEY = re.compile(rf"(?i)(?:{_NAME})")
_SIGNS = re.compile(r"(?i)PRIVATE KEY|gh[pousr]_|_pat_|glpat|AKIA|ASIA|eyJ|xox|xapp|sk-|AIza|slack\.com|office\.com|@"
                    rf"|bearer|basic|{_NAMED}")  # fmt: skip


def redact(text: str) -> str:
    """The text with every secret in it replaced by `***`. What is redacted already stays as it is."""
    if not _SIGNS.search(text):
        return text
    text = _SHAPES.sub(HIDDEN, _PEM.sub(HIDDEN, text))
    text = _SCHEME.sub(rf"\1\2{HIDDEN}", _USERINFO.sub(rf"\1:{HIDDEN}@", text))
    return _ASSIGNED.sub(_assigned, _ITEM.sub(rf"\1{HIDDEN}", text))


def _assigned(found: re.Match[str]) -> str:
    if _HARMLESS.fullmatch(found[3]):
        return found[0]
    return f"{found[1]}{found[2]}{HIDDEN}" + (f"{found[4]}{HIDDEN}" if found[4] else "")


def under(pairs: Mapping[str, str]) -> Mapping[str, str]:
    """Texts by name: a name can say that its value is a secret."""
    return {name: str(_under(name, value)) for name, value in pairs.items()}


def everywhere(data: object) -> object:
    """The same for all text in plain data (as JSON has it), values under names that say so included."""
    if isinstance(data, str):
        return redact(data)
    if isinstance(data, Mapping):
        return {key: _under(str(key), value) for key, value in data.items()}
    return [everywhere(each) for each in data] if isinstance(data, list | tuple) else data


def _under(key: str, value: object) -> object:
    if isinstance(value, str) and len(value) >= 4 and _KEY.fullmatch(key) and not _HARMLESS.fullmatch(value):
        return HIDDEN
    return everywhere(value)
