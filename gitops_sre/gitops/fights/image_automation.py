"""Flux image automation: it writes the value of an ImagePolicy onto every line that carries its marker.

Source: Flux, "Image Update Automations" (marker, `spec.update.path`, `spec.suspend`) and "Image Policies"
(`spec.policy.semver.range`, read by Masterminds/semver, where a comma means "and").
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_sre.gitops.fights.patterns import literal, search
from gitops_sre.gitops.fights.scan import Fight, Object, Scan, tag_in
from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import Path

_MARKER = re.compile(r'#\s*\{\s*"\$imagepolicy"\s*:\s*"(?P<namespace>[^":]*):(?P<name>[^":]+)(?::(?P<part>[a-z]+))?"')
_SEMVER = re.compile(r"v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_RANGE: Path = ("spec", "policy", "semver", "range")
_REFERENCE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True)
class _Marked:
    """The edits that one policy would write over."""

    namespace: str
    name: str
    edits: tuple[FieldEdit, ...]

    @property
    def tag(self) -> str:
        """The tag that the edits bring, when they agree on one."""
        tags = {tag for edit in self.edits if (tag := tag_in(edit))}
        return tags.pop() if len(tags) == 1 else ""


def detect(scan: Scan) -> Iterator[Fight]:
    """A fight for each policy that writes an edited line."""
    for marked in _marked(scan):
        automations = [each for each in _automations(scan) if any(_covers(each, e.file) for e in marked.edits)]
        if automations and all(each.value("spec", "suspend") == "true" for each in automations):
            continue
        yield _fight(scan, marked, automations)


def _marked(scan: Scan) -> list[_Marked]:
    found: dict[tuple[str, str], list[FieldEdit]] = {}
    for edit in scan.edits:
        marker = _MARKER.search(scan.line(edit)[1])
        if marker and marker["part"] != "name":
            found.setdefault((marker["namespace"], marker["name"]), []).append(edit)
    return [_Marked(namespace, name, tuple(edits)) for (namespace, name), edits in found.items()]


def _fight(scan: Scan, marked: _Marked, automations: list[Object]) -> Fight:
    first = marked.edits[0]
    policies = [
        each for each in scan.objects("ImagePolicy", "ImagePolicy") if each.may_be(marked.namespace, marked.name)
    ]
    pins, price = _cap(scan, marked, policies)
    if not pins:
        pins, price = _suspend(scan, automations)
    places = ", ".join(f"{each} in {each.file}" for each in (*policies, *automations))
    by_hand = "suspend the automation or narrow the policy by hand"
    remedy = (
        f"{by_hand} ({price}; look at {places})"
        if places
        else f"{by_hand}: neither is in this repository for this file"
    )
    reason = f"Flux image automation writes this line (policy {marked.namespace}:{marked.name})"
    return Fight("flux-image-automation", first.file, first.document, first.path, scan.line(first)[0], reason,
                 remedy, pins=pins)  # fmt: skip


def _automations(scan: Scan) -> list[Object]:
    return list(scan.objects("ImageUpdateAutomation", "ImageUpdateAutomation"))


def _covers(automation: Object, file: str) -> bool:
    path = posixpath.normpath(automation.value("spec", "update", "path") or ".").lstrip("/")
    return path in ("", ".") or file == path or file.startswith(f"{path}/")


def _cap(scan: Scan, marked: _Marked, policies: list[Object]) -> tuple[tuple[FieldEdit, ...], str]:
    """The policy takes nothing above the restored version, or, where it does not go by version, that tag alone. Unlike
    leaving out the bad version, this also keeps the versions between the two away."""
    if len(policies) != 1:
        return (), f"{len(policies)} policies have this name" if policies else "the policy is not here"
    policy = policies[0]
    if not marked.tag or not policy.within("spec", "policy"):
        return (), f"{policy} is set elsewhere" if marked.tag else f"{policy} cannot be narrowed to a digest"
    if others := _others(scan, marked):
        return (), f"{policy} also writes {', '.join(others[:3])}, which narrowing it would move too"
    scalar, version = policy.document.get(_RANGE), _extracted(policy, marked.tag)
    if scalar is not None and _SEMVER.fullmatch(version):
        narrowed = " || ".join(f"{part.strip()}, <={version}" for part in scalar.value.split("||"))
        reason = f"{policy} takes nothing above {version}; newer versions wait until the pin is taken off"
        pins = scan.pin(policy, _RANGE, narrowed, reason)
    else:
        reason = f"{policy} takes {marked.tag} alone; newer tags wait until the pin is taken off"
        only = _only(policy, marked.tag)
        pins = scan.pin(policy, ("spec", "filterTags", "pattern"), only, reason) if only else ()
    return pins, f"{policy} cannot be narrowed by an edit"


def _only(policy: Object, tag: str) -> str:
    """A pattern for one tag, in which the groups that the policy extracts still hold what they held. Empty when they
    cannot be told."""
    pattern, extract = policy.value("spec", "filterTags", "pattern"), policy.value("spec", "filterTags", "extract")
    match = _searched(pattern, tag)
    names = [found[1] for found in _REFERENCE.finditer(extract)]
    if not names:
        return f"^{literal(tag)}$"
    if match is None or len(names) > 1 or names[0] not in match.re.groupindex:
        return ""
    start, end = match.span(names[0])
    parts = [literal(part) for part in (tag[:start], tag[start:end], tag[end:])]
    return f"^{parts[0]}(?P<{names[0]}>{parts[1]}){parts[2]}$"


def _extracted(policy: Object, tag: str) -> str:
    """The part of a tag that a policy sorts by, or the empty string."""
    pattern, extract = policy.value("spec", "filterTags", "pattern"), policy.value("spec", "filterTags", "extract")
    if not pattern or not extract:
        return tag
    match = _searched(pattern, tag)
    try:
        return match.expand(_REFERENCE.sub(r"\\g<\1>", extract)) if match else ""
    except (re.error, IndexError):
        return ""


def _searched(pattern: str, tag: str) -> re.Match[str] | None:
    try:
        return search(pattern, tag)
    except ValueError:
        return None


def _others(scan: Scan, marked: _Marked) -> list[str]:
    """Other lines that the policy writes and that do not hold the restored version already."""
    mine = {(edit.file, scan.line(edit)[0]) for edit in marked.edits}
    found = []
    for file in scan.files.repository.mentioning(scan.files.commit, f'"{marked.namespace}:{marked.name}'):
        for number, line in enumerate(scan.text(file).split("\n"), 1):
            marker = _MARKER.search(line)
            same = marker and (marker["namespace"], marker["name"]) == (marked.namespace, marked.name)
            if same and (file, number) not in mine and marked.tag not in line.partition("#")[0]:
                found.append(f"{file}:{number}")
    return found


def _suspend(scan: Scan, automations: list[Object]) -> tuple[tuple[FieldEdit, ...], str]:
    """The automation rests: a wide pin, since everything below its path waits with it."""
    active = [each for each in automations if each.value("spec", "suspend") != "true"]
    if len(active) != 1:
        return (), f"{len(active)} automations of this repository write here; suspend the right one by hand"
    automation = active[0]
    path = posixpath.normpath(automation.value("spec", "update", "path") or ".").lstrip("/")
    under = () if path in ("", ".") else (path,)
    count = len(scan.files.repository.mentioning(scan.files.commit, "$imagepolicy", under))
    where = f"below {path}" if under else "in the whole repository"
    reason = f"{automation} is suspended, so no image {where} is updated ({count} files) until it is taken off"
    return scan.pin(automation, ("spec", "suspend"), "true", reason, flag=True), "it cannot be suspended by an edit"
