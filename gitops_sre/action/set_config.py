"""Give one setting of a workload another value, wherever the repository decides it."""

from __future__ import annotations

import re

from gitops_sre import yamltext
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

SPEC = ActionSpec(
    name="set_config",
    summary="Give one setting of one workload another value",
    parameters=(
        Parameter("key", "the setting's name, or the dotted path to it"),
        Parameter("value", "a value of 1 to 1024 printable characters", pattern=r"[^\x00-\x1f\x7f-\x9f]{1,1024}"),
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="restores the value that stood before, byte for byte",
    not_for=("secrets", "whole files that a ConfigMap holds", "settings that a program reads into its database"),
)

_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|api[-_.]?key|private[-_.]?key|access[-_.]?key|credential|client[-_.]?key",
    re.I,
)
_SECRET_VALUE = re.compile(
    r"-----BEGIN |\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{15,}|"
    r"\bxox[abprs]-[\w-]{10,}|\bsk-[\w-]{20,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}|://[^/\s:@]*:[^/\s:@]+@"
)
"""Private keys, keys and tokens of AWS, GitHub, GitLab, Slack and others, JSON web tokens, a password in a URL."""

_NUMBERS = ("int", "float")
_TYPES = {"int": "a number", "float": "a number", "bool": "true or false"}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
"""Numbers that every reader prints as they are written."""


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edit that gives the setting its value; nothing is written.

    Refused when it is, or looks like, a secret, when the place holds a value of another type, and when nothing would
    change.
    """
    given = plan.parameters
    if problem := SPEC.problem(given) or looks_secret(given["key"], given["value"]):
        return Refused(problem)
    fields = locator.setting_fields(commit, plan.target, given["key"])
    if isinstance(fields, Refused):
        return fields
    if len(fields) > 1:
        names = ", ".join(str(field.path[-1]) for field in fields[:5])
        return Refused(
            f"{fields[0].file}: {given['key']} is not one value ({names}); use set_flag, or name one of them"
        )
    edit = written(fields[0], given["value"])
    return edit if isinstance(edit, Refused) else Draft((edit,), notes=restarts(fields))


def looks_secret(key: str, value: str) -> str:
    """Why a setting is taken for a secret, or the empty string. The value itself is not repeated."""
    if _SECRET_NAME.search(key):
        return f"{key} looks like the name of a secret, and secrets are never edited; change it by hand"
    if _SECRET_VALUE.search(value):
        return f"the value for {key} looks like a secret, which has no place in a repository; change it by hand"
    return ""


def now(field: Field) -> str:
    """The value that a field gives the setting: of a generator's literal `KEY=value`, what follows the sign, without
    the quotes that kustomize takes off."""
    text = field.value.partition("=")[2] if _is_literal(field) else field.value
    return text[1:-1] if _quotes(field) else text


def written(field: Field, value: str, raw: str = "") -> FieldEdit | Refused:
    """The edit that gives a field's setting a value, in the type and style of what stands. `raw` is its source text
    where that is known better."""
    if now(field) == value:
        return Refused(f"{field.file} already says {value}: nothing to change")
    if field.raw.startswith(("|", ">")) or "\n" in field.value:
        return Refused(
            f"{field.file}: a whole text stands at {yamltext.show(field.document, field.path)}; name a key in it"
        )
    after = _literal(field, value) if _is_literal(field) else value
    try:
        raw = raw or _raw(field, after)
    except YamlTextError as error:
        return Refused(f"{field.file}: {error}")
    return FieldEdit(field.file, field.document, field.path, field.value, after, field.raw, raw, reason=field.reason)


def restarts(fields: tuple[Field, ...]) -> tuple[str, ...]:
    """What a person should know when nothing restarts the pods; the locator says so in the reason."""
    return tuple(
        dict.fromkeys(f"restart needed: {field.reason}" for field in fields if "until they restart" in field.reason)
    )


def _is_literal(field: Field) -> bool:
    """Whether a field is `KEY=value` in a list of kustomize's generators."""
    return field.path[:1] == ("configMapGenerator",) and field.path[-2:-1] == ("literals",)


def _is_line(field: Field) -> bool:
    """Whether a field stands in a file of `KEY=value` lines, where nothing but its own quotes is known."""
    return len(field.path) == 1 and not field.file.endswith((".yaml", ".yml", ".json"))


def _quotes(field: Field) -> str:
    """The quotes around a literal's value, which kustomize takes off."""
    text = field.value.partition("=")[2] if _is_literal(field) else ""
    return text[0] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else ""


def _literal(field: Field, value: str) -> str:
    quotes = _quotes(field)
    return f"{field.value.partition('=')[0]}={quotes}{value}{quotes}"


def _raw(field: Field, after: str) -> str:
    """Source text of the new value. Raises YamlTextError when it is of another type than what stands."""
    if _is_line(field) and field.raw[:1] not in ("'", '"'):
        return after
    stands = "str" if field.raw[:1] in ("'", '"') else yamltext.plain_type(field.raw)
    given = yamltext.plain_type(after)
    if (stands in _NUMBERS and given not in _NUMBERS) or stands == "bool" != given:
        raise YamlTextError(f"{field.value} is {_TYPES[stands]}, and {after!r} is none; give one")
    if stands == "null" and not _holds_text(field):
        raise YamlTextError(f"nothing stands at {yamltext.show(field.document, field.path)} that tells the type")
    if stands in _NUMBERS and _NUMBER.fullmatch(after):
        return after
    raw = yamltext.quoted_like(field.raw, after)
    if stands in _TYPES and raw != after:
        raise YamlTextError(f"not every reader takes {after} for {_TYPES[stands]}; write it plainly")
    return raw


def _holds_text(field: Field) -> bool:
    """Whether Kubernetes wants text at this place: a ConfigMap's data and variables."""
    return field.path[0] == "data" or "env" in field.path
