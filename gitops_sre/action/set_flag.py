"""Turn one feature flag on or off, or give it another variant, wherever the repository decides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitops_sre.action.setting import WAS, Setting, drafted, looks_secret, overtaken
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.ports import Locator

SPEC = ActionSpec(
    name="set_flag",
    summary="Turn one feature flag on or off, or give it another variant",
    parameters=(
        Parameter("flag", "the flag's name, or the dotted path to it"),
        Parameter("value", "`on`, `off`, or a variant of the flag", pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"),
        WAS,
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="restores the state and variant that stood before, byte for byte",
    not_for=("flags that targeting rules decide", "flags whose old path was removed from the program", "secrets"),
)  # fmt: skip

_PAIRS = (("off", "on"), ("false", "true"), ("0", "1"), ("no", "yes"), ("disabled", "enabled"))
"""Words for off and on, in the spellings that flags are written in."""


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edits that give the flag its value; nothing is written.

    A boolean keeps its spelling, type and quotes. Of a flag's definition (flagd, OpenFeature) `defaultVariant` is set,
    and `state` too where the flag is disabled; ENABLED and DISABLED mean the state alone. Refused when the value is
    neither on, off nor a variant, when targeting rules decide, when it is not what it `was`, and when nothing would
    change.
    """
    given = plan.parameters
    if problem := SPEC.problem(given) or looks_secret(given["flag"], ""):
        return Refused(problem)
    fields = locator.setting_fields(commit, plan.target, given["flag"])
    if isinstance(fields, Refused):
        return fields
    parts = {_part(field): field for field in fields}
    if why := _overtaken(parts, fields[0], given["flag"], given.get("was", "")):
        return Refused(why)
    if "state" in parts or "defaultVariant" in parts:
        edits = _defined(parts, given["flag"], given["value"])
    elif len(fields) == 1:
        edits = _plain(fields[0], given["flag"], given["value"])
    else:
        return Refused(f"{fields[0].file}: {given['flag']} is not one flag; name one value of it with set_config")
    return edits if isinstance(edits, Refused) else drafted(plan, locator, commit, edits)


def _part(field: Field) -> str:
    """What a field is of a flag's definition: `state`, `defaultVariant`, `variants.<name>` or `targeting`."""
    for at, part in enumerate(field.path):
        if part == "flags" and len(field.path) > at + 2:
            inside = [str(each) for each in field.path[at + 2 :]]
            return ".".join(inside[:2]) if inside[0] == "variants" else inside[0]
    return ""


def _overtaken(parts: Mapping[str, Field], first: Field, flag: str, was: str) -> str:
    """Why the flag is no longer as it was, or the empty string: `was` is a state or variant of a defined flag."""
    part = "state" if was in ("ENABLED", "DISABLED") and "state" in parts else "defaultVariant"
    field = parts.get(part)
    if field is not None:
        return overtaken(field, flag, field.value, was)
    setting = Setting.read(first, flag)
    return "" if isinstance(setting, Refused) else overtaken(first, flag, setting.now, was)


def _plain(field: Field, flag: str, value: str) -> tuple[FieldEdit, ...] | Refused:
    """A flag that is just a value."""
    setting = Setting.read(field, flag)
    if isinstance(setting, Refused):
        return setting
    word = _spelled(setting.now, value)
    if not word:
        return Refused(f"{field.file}: {flag} is {setting.now!r}, which is neither on nor off; use set_config")
    # A plain word stays plain: readers that take one of a pair for a boolean take the other for one.
    edit = setting.edit(word, word if setting.now == field.raw else "")
    return edit if isinstance(edit, Refused) else (edit,)


def _spelled(stands: str, value: str) -> str:
    """On or off in the spelling that stands there; empty when either is no such word."""
    wanted = next((at for pair in _PAIRS for at in (0, 1) if value.lower() == pair[at]), None)
    pair = next((pair for pair in _PAIRS if stands.lower() in pair), None)
    if wanted is None or pair is None:
        return ""
    if stands.isupper():
        return pair[wanted].upper()
    return pair[wanted].capitalize() if stands.istitle() else pair[wanted]


def _defined(parts: Mapping[str, Field], flag: str, value: str) -> tuple[FieldEdit, ...] | Refused:
    """A flag with state and variants."""
    state, default = parts.get("state"), parts.get("defaultVariant")
    if state is not None and value.lower() in ("enabled", "disabled"):
        return _edits(((state, value.upper()),), flag)
    if "targeting" in parts:
        where = parts["targeting"].file
        return Refused(f"{where}: targeting rules decide {flag} for whom they match; give DISABLED, or edit it by hand")
    variants = {part.partition(".")[2]: field for part, field in parts.items() if part.startswith("variants.")}
    variant = value if value in variants else _boolean(variants, value)
    if default is None or not variant:
        known = ", ".join(sorted(variants)) or "none"
        return Refused(f"{next(iter(parts.values())).file}: {flag} has no variant for {value} (it has {known})")
    wanted = [(default, variant)]
    if state is not None and state.value == "DISABLED":
        wanted.append((state, "ENABLED"))
    return _edits(wanted, flag)


def _boolean(variants: Mapping[str, Field], value: str) -> str:
    """The one variant that is true (for on) or false (for off)."""
    word = {"on": "true", "true": "true", "off": "false", "false": "false"}.get(value.lower(), "")
    found = [name for name, field in variants.items() if word and field.value == word]
    return found[0] if len(found) == 1 else ""


def _edits(wanted: Sequence[tuple[Field, str]], flag: str) -> tuple[FieldEdit, ...] | Refused:
    """The edits of those parts that differ."""
    found: list[FieldEdit] = []
    for field, word in wanted:
        if field.value != word:
            edit = Setting(field, "", field.value, "").edit(word)
            if isinstance(edit, Refused):
                return edit
            found.append(edit)
    return tuple(found) or Refused(f"{wanted[0][0].file} already says so of {flag}: nothing to change")
