"""How a setting stands in a field, and how another value is written there in the same type and style."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256

from gitops_sre import yamltext
from gitops_sre.action import fields
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import Parameter, Plan
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

ANNOTATION = "gitops-sre.dev/config-checksum"
_ROLLED = ("Deployment", "StatefulSet", "DaemonSet", "Rollout")
_KEEPS = "running pods keep the old value until they restart"
_MAY_KEEP = "keep the old value until they restart"
"""What the locator says of a setting whose change restarts nothing."""
_NUMBERS = ("int", "float")
_TYPES = {"int": "a number", "float": "a number", "bool": "true or false"}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
"""Numbers that every reader prints as they are written."""
WAS = Parameter("was", "the value that must still stand there", pattern=r"[^\x00-\x1f\x7f-\x9f]{1,1024}", optional=True)
"""What takes a change back must not take back what somebody has put in its place since."""
_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|api[-_.]?key|private[-_.]?key|access[-_.]?key|credential|client[-_.]?key",
    re.I,
)
_SECRET_VALUE = re.compile(
    r"-----BEGIN |\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{15,}|"
    r"\bxox[abprs]-[\w-]{10,}|\bsk-[\w-]{20,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}|://[^/\s:@]*:[^/\s:@]+@"
)
"""Private keys, keys and tokens of AWS, GitHub, GitLab, Slack and others, JSON web tokens, a password in a URL."""


@dataclass(frozen=True)
class Setting:
    """A setting in a field. `now` is its value; `before` and `after` are what else the scalar holds: a generator's
    literal is `KEY=value`, and a text in a ConfigMap has a line for each key."""

    field: Field
    before: str
    now: str
    after: str

    @classmethod
    def read(cls, field: Field, key: str) -> Setting | Refused:
        """The setting that `key` names in a field. Refused when the field holds a text that has no such line."""
        if field.path[:1] == ("configMapGenerator",) and field.path[-2:-1] == ("literals",):
            name, _, value = field.value.partition("=")
            # kustomize takes one pair of quotes off.
            quotes = value[0] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else ""
            return cls(field, f"{name}={quotes}", value[1:-1] if quotes else value, quotes)
        if "\n" not in field.value and field.raw[:1] not in ("|", ">"):
            return cls(field, "", field.value, "")
        parts = _line(field.value, key)
        if parts is None:
            where = yamltext.show(field.document, field.path)
            return Refused(f"{field.file}: a whole text stands at {where}; name a key that has one line in it")
        return cls(field, *parts)

    def edit(self, value: str, raw: str = "") -> FieldEdit | Refused:
        """The edit that gives the setting a value. `raw` is its source text where that is known better.

        Refused when it stands so already, and when the place holds another type.
        """
        field = self.field
        if self.now == value:
            return Refused(f"{field.file} already says {value}: nothing to change")
        after = f"{self.before}{value}{self.after}"
        try:
            raw = raw or self._raw(value, after)
        except YamlTextError as error:
            return Refused(f"{field.file}: {error}")
        return FieldEdit(
            field.file, field.document, field.path, field.value, after, field.raw, raw, reason=field.reason
        )

    def _raw(self, value: str, after: str) -> str:
        if "\n" in self.before or "\n" in self.after:
            return _exchanged(self.field.raw, self.before.rpartition("\n")[2], self.now, value)
        if self.before or (_is_line(self.field) and self.field.raw[:1] not in ("'", '"')):
            return yamltext.quoted_like(self.field.raw, after) if self.before else after
        return _typed(self.field, after)


def overtaken(field: Field, key: str, now: str, was: str) -> str:
    """Why a setting is not to be touched because it was changed again since, or the empty string."""
    if not was or now == was:
        return ""
    return f"{field.file}: {key} is {now!r} and no longer {was!r}: it was changed again since; look at it by hand"


def looks_secret(key: str, value: str) -> str:
    """Why a setting is taken for a secret, or the empty string. The value itself is not repeated."""
    if _SECRET_NAME.search(key):
        return f"{key} looks like the name of a secret, and secrets are never edited; change it by hand"
    if _SECRET_VALUE.search(value):
        return f"the value for {key} looks like a secret, which has no place in a repository; change it by hand"
    return ""


def drafted(plan: Plan, locator: Locator, commit: str, edits: tuple[FieldEdit, ...]) -> Draft:
    """A draft that also makes the pods new, where they would keep the old value: a pod-template annotation changes with
    the content, as charts do it with a checksum. Where that is not possible, a note says what is left to do.
    """
    if any(_KEEPS in edit.reason for edit in edits):
        annotation = _annotation(plan, locator, commit, edits)
        if isinstance(annotation, tuple):
            return Draft((*edits, *annotation))
        return Draft(edits, notes=(f"restart needed: running pods keep the old value, and {annotation}",))
    notes = (f"restart needed: {edit.reason}" for edit in edits if _MAY_KEEP in edit.reason)
    return Draft(edits, notes=tuple(dict.fromkeys(notes)))


def _annotation(plan: Plan, locator: Locator, commit: str, edits: tuple[FieldEdit, ...]) -> tuple[FieldEdit, ...] | str:
    """The edits that change the annotation, or why there are none."""
    ref = plan.target.workload
    if ref.kind not in _ROLLED:
        return f"no pod template of a {', '.join(_ROLLED)} is known"
    content = "\n".join(f"{edit.file} {edit.path} {edit.after}" for edit in edits)
    found = fields.of_workload(
        plan, locator, commit, ref.kind, "spec", "template", "metadata", "annotations", ANNOTATION
    )
    if isinstance(found, Refused):
        return found.reason
    try:
        made = fields.edits(found, f"sha256-{sha256(content.encode()).hexdigest()[:16]}", "makes the pods new")
    except YamlTextError as error:
        return str(error)
    return tuple(replace(edit, part="coupled") for edit in made) or f"{ref} is made elsewhere"


def _line(text: str, key: str) -> tuple[str, str, str] | None:
    """What stands before, at and after the value of the one line of a text that sets a key, or an end of its path."""
    parts = key.split(".")
    for at in range(len(parts)):
        name = re.escape(".".join(parts[at:]))
        found = list(re.finditer(rf"^[ \t]*{name}[ \t]*[=:][ \t]*(\S(?:[^\r\n]*\S)?)[ \t]*\r?$", text, re.M))
        if found:
            start, end = found[0].span(1)
            return (text[:start], text[start:end], text[end:]) if len(found) == 1 else None
    return None


def _exchanged(raw: str, lead: str, now: str, value: str) -> str:
    """A block scalar's source with one value of one line exchanged. Raises YamlTextError."""
    found = list(re.finditer(rf"^[ \t]*{re.escape(lead.lstrip())}({re.escape(now)})[ \t]*\r?$", raw, re.M))
    if len(found) != 1 or raw[:1] != "|":
        raise YamlTextError(f"{lead.strip()} has no line of its own in the source text; edit it by hand")
    return raw[: found[0].start(1)] + value + raw[found[0].end(1) :]


def _is_line(field: Field) -> bool:
    """Whether a field stands in a file of `KEY=value` lines, where nothing but its own quotes is known."""
    return len(field.path) == 1 and not field.file.endswith((".yaml", ".yml", ".json"))


def _typed(field: Field, after: str) -> str:
    """Source text of a value of the type that stands. Raises YamlTextError when it is of another."""
    stands = "str" if field.raw[:1] in ("'", '"') else yamltext.plain_type(field.raw)
    given = yamltext.plain_type(after)
    if (stands in _NUMBERS and given not in _NUMBERS) or (stands == "bool" != given):
        raise YamlTextError(f"{field.value} is {_TYPES[stands]}, and {after!r} is none; give one")
    if stands == "null" and not _holds_text(field):
        where = yamltext.show(field.document, field.path)
        raise YamlTextError(f"nothing stands at {where} that tells the type of the value; edit it by hand")
    if stands in _NUMBERS and _NUMBER.fullmatch(after):
        return after
    raw = yamltext.quoted_like(field.raw, after)
    if stands in _TYPES and raw != after:
        raise YamlTextError(f"not every reader takes {after} for {_TYPES[stands]}; write it plainly")
    return raw


def _holds_text(field: Field) -> bool:
    """Whether Kubernetes wants text at this place: a ConfigMap's data and variables."""
    return field.path[0] == "data" or "env" in field.path
