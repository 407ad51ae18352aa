"""Which environment a path belongs to, by the words that teams use for it."""

from __future__ import annotations

import re

WORDS = {
    "dev": "dev", "development": "dev", "develop": "dev", "test": "test", "testing": "test", "tst": "test",
    "qa": "qa", "int": "integration", "integration": "integration", "uat": "uat", "acceptance": "uat",
    "acc": "uat", "stage": "staging", "staging": "staging", "stg": "staging", "preprod": "preprod",
    "pre-prod": "preprod", "preproduction": "preprod", "perf": "perf", "sandbox": "sandbox", "demo": "demo",
    "prod": "production", "production": "production", "prd": "production", "live": "production", "canary": "canary",
}  # fmt: skip
"""A word in a path -> the environment that it stands for."""

_EXTENSION = re.compile(r"\.(ya?ml|json|env|properties|txt)$")
_PLAIN = ("dev", "development", "test", "qa", "uat", "stage", "staging", "stg", "preprod", "prod", "production", "prd")
"""Words that mean an environment also as a part of a name; `live-view` and `demo-data` do not."""
_MARKED = re.compile(r"(?:.*[-_.])?({words})(?:[-_.]?\d+)?|({words})[-_.].*".format(words="|".join(_PLAIN)))


def named(word: str) -> str:
    """The environment that a word stands for; a word of the team's own stands for itself."""
    return WORDS.get(word.lower(), word.lower())


def wanted(text: str) -> tuple[str, ...]:
    """The environments that a target names: one, or several with commas between them."""
    return tuple(named(part.strip()) for part in text.split(",") if part.strip())


def fits(path: str, environment: str) -> bool:
    """Whether a path may decide for an environment (empty: any); one that names none belongs to all."""
    theirs = of(path, environment)
    return not environment or not theirs or theirs in wanted(environment)


def of(path: str, environment: str = "") -> str:
    """The environment of a path, or the empty string.

    The part that says it most plainly wins: a whole folder or file name (`overlays/prod`, `prod.yaml`) over a part
    of one (`values-prod.yaml`, `cluster-prod-1`); of equals the last one, which is the nearer to the file. A name of
    the team's own (`environment`) is recognised too.
    """
    parts = [_EXTENSION.sub("", part).lower() for part in path.split("/")]
    own = {part.strip().lower() for part in environment.split(",")} - {""}
    whole = [named(part) for part in parts if part in WORDS or part in own]
    if whole:
        return whole[-1]
    found = [match for part in parts if (match := _MARKED.fullmatch(part))]
    return WORDS[found[-1][1] or found[-1][2]] if found else ""
