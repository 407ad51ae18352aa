"""Renovate's configuration, as far as it says whether an update of one dependency is merged without a person.

Source: Renovate, "Configuration options": `automerge`, `packageRules`, `matchPackageNames`, `matchUpdateTypes`, and the
presets `:automerge*`. JSON5 is read as YAML once its comments are out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gitops_sre import yamltext
from gitops_sre.gitops.fights.patterns import search
from gitops_sre.gitops.fights.scan import Scan, image_of
from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import Path, YamlTextError

FILES = (
    "renovate.json", "renovate.json5", ".github/renovate.json", ".github/renovate.json5", ".gitlab/renovate.json",
    ".gitlab/renovate.json5", ".renovaterc", ".renovaterc.json", ".renovaterc.json5",
)  # fmt: skip
_PRESETS = (".renovate", ".github/renovate")
"""Folders in which repositories keep presets of their own."""
_COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')|//[^\n]*|/\*.*?\*/', re.S)
_BARE_KEY = re.compile(r"([{,]\s*[A-Za-z_$][\w$]*):(?=\S)")
_TYPES = ("major", "minor", "patch", "digest", "pin", "pinDigest")
_NUMBER = re.compile(r"\d+")

Config = dict[Path, str]


@dataclass(frozen=True)
class Update:
    """An update as Renovate would see it; what is not known is empty."""

    name: str
    kind: str
    datasource: str
    file: str


def verdict(scan: Scan, update: Update) -> tuple[str, str] | None:
    """(main configuration file, the file that makes it merge by itself or nothing); None when there is no Renovate."""
    main = next((path for path in FILES if scan.text(path)), None)
    if main is None:
        return None
    presets = [path for folder in _PRESETS for path in scan.files.under(folder) if path.endswith((".json", ".json5"))]
    merging = next((path for path in dict.fromkeys((main, *presets)) if _merges(scan.text(path), update)), "")
    return main, merging


def update_of(scan: Scan, edit: FieldEdit) -> Update:
    """The update that would take an edit back."""
    owner, kind = scan.edited(edit), update_type(edit.after or "", edit.before or "")
    if image := image_of(scan, edit):
        return Update(image, kind, "docker", edit.file)
    if chart := owner.value(*edit.path[:-1], "chart"):
        return Update(chart, kind, "helm", edit.file)
    if owner.kind == "OCIRepository":
        return Update(owner.value("spec", "url").removeprefix("oci://"), kind, "docker", edit.file)
    if owner.kind == "GitRepository":
        return Update(owner.value("spec", "url"), kind, "", edit.file)
    return Update("", kind, "", edit.file)


def update_type(one: str, other: str) -> str:
    """What Renovate calls the update from one version to another."""
    if "sha256:" in other and one.partition("@")[0] == other.partition("@")[0]:
        return "digest"
    first, second = (_NUMBER.findall(text.partition("@")[0].rpartition(":")[2])[:3] for text in (one, other))
    for name, a, b in zip(("major", "minor", "patch"), first, second, strict=False):
        if a != b:
            return name
    return "patch" if first and second else "digest"


def _merges(text: str, update: Update) -> bool:
    if "automerge" not in text:
        return False
    config = _read(text)
    if config is None:
        return bool(re.search(r"automerge[\"']?\s*:\s*true|:automerge", text))
    presets = [value for path, value in config.items() if path[:1] == ("extends",)]
    if any(_preset_merges(preset, update.kind) for preset in presets):
        return True
    if config.get(("automerge",)) == "true" or config.get((update.kind, "automerge")) == "true":
        return True
    rules = {path[1] for path in config if path[:1] == ("packageRules",) and len(path) > 1}
    return any(_rule_merges(_below(config, ("packageRules", at)), update) for at in rules)


def _preset_merges(preset: str, kind: str) -> bool:
    """`:automergeMinor` includes patches; see Renovate, "Default presets"."""
    included = {"all": set(_TYPES), "major": set(_TYPES), "minor": {"minor", "patch"}, "patch": {"patch"}}
    word = preset.rpartition(":automerge")[2].lower() if ":automerge" in preset else ""
    return kind in included.get(word, {word})


def _rule_merges(rule: Config, update: Update) -> bool:
    """Whether a rule lets an update merge; what it asks for and is not known counts as given."""
    if rule.get(("automerge",)) != "true" and rule.get((update.kind, "automerge")) != "true":
        return False
    asked = (
        ("matchUpdateTypes", update.kind), ("matchDatasources", update.datasource), ("matchFileNames", update.file),
        ("matchPackageNames", update.name), ("matchDepNames", update.name),
    )  # fmt: skip
    if any(known and (wanted := _values(rule, key)) and not _any_matches(wanted, known) for key, known in asked):
        return False
    prefixes, patterns = _values(rule, "matchPackagePrefixes"), _values(rule, "matchPackagePatterns")
    by_name = [*(f"{each}**" for each in prefixes), *(f"/{each}/" for each in patterns)]
    return not update.name or not by_name or _any_matches(by_name, update.name)


def _any_matches(patterns: list[str], name: str) -> bool:
    wanted = [each for each in patterns if not each.startswith("!")]
    unwanted = [each[1:] for each in patterns if each.startswith("!")]
    return (not wanted or any(_matches(each, name) for each in wanted)) and not any(
        _matches(each, name) for each in unwanted
    )


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("/"):
        try:
            return search(pattern.rstrip("i").strip("/"), name) is not None
        except ValueError:
            return True
    return fnmatchcase(name, pattern)


def _values(rule: Config, key: str) -> list[str]:
    return [value for path, value in rule.items() if path[0] == key]


def _below(config: Config, path: Path) -> Config:
    return {at[len(path) :]: value for at, value in config.items() if at[: len(path)] == path and len(at) > len(path)}


def _read(text: str) -> Config | None:
    plain = _COMMENT.sub(lambda found: found[1] or " ", text).replace("\t", " ")
    try:
        return {scalar.path: scalar.value for scalar in yamltext.scalars(_BARE_KEY.sub(r"\1: ", plain))}
    except YamlTextError:
        return None
