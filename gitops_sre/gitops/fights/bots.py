"""Version bots and moving names: who writes the line again, and which names do not say what runs.

Source: Renovate, "Configuration options" (`automerge`, `packageRules`) and "Configuration file names"; GitHub,
"Dependabot options reference"; release-please, "Customizing releases" (`x-release-please-*`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_sre.gitops.fights import renovate
from gitops_sre.gitops.fights.patterns import literal
from gitops_sre.gitops.fights.scan import Fight, Scan, is_version, tag_in
from gitops_sre.model.change import FieldEdit
from gitops_sre.model.image import Image

_DEPENDABOT = (".github/dependabot.yml", ".github/dependabot.yaml")
_RELEASE_PLEASE = re.compile(r"x-release-please-(?:version|major|minor|patch)")
_BLOCK = re.compile(r"x-release-please-(start-(?:version|major|minor|patch)|end)")
_MANAGED = re.compile(r"#.*\b(x-[a-z0-9-]*managed)\b")
MOVING = frozenset({
    "latest", "main", "master", "develop", "development", "dev", "trunk", "head", "edge", "nightly", "canary", "next",
    "stable", "staging", "stage", "prod", "production", "release", "snapshot", "current", "beta", "alpha", "unstable",
})  # fmt: skip
"""Tags that by custom are set to another image again and again."""


def detect(scan: Scan) -> Iterator[Fight]:
    """What writes an edited version again, and versions that move."""
    for edit in scan.edits:
        yield from _marked(scan, edit)
    versions = [edit for edit in scan.edits if is_version(edit)]
    for edit in versions:
        yield from _moving(scan, edit)
    if named := [edit for edit in versions if edit.before and edit.before.rpartition(":")[2].lower() not in MOVING]:
        yield from _proposed(scan, named)


def _marked(scan: Scan, edit: FieldEdit) -> Iterator[Fight]:
    number, line = scan.line(edit)
    if not number:
        return
    if _RELEASE_PLEASE.search(line) or _in_block(scan, edit.file, number):
        yield Fight("release-please", edit.file, edit.document, edit.path, number,
                    "release-please writes this line in its next release pull request",
                    "look at that pull request before it is merged", "proposes")  # fmt: skip
    elif managed := _MANAGED.search(line):
        yield Fight("managed-line", edit.file, edit.document, edit.path, number,
                    f"a comment says that this line is written by a machine ({managed[1]})",
                    "find out who writes it and hold that off", "may-undo")  # fmt: skip


def _in_block(scan: Scan, file: str, number: int) -> bool:
    marks = _BLOCK.findall("\n".join(scan.text(file).split("\n")[: number - 1]))
    return bool(marks) and marks[-1] != "end"


def _moving(scan: Scan, edit: FieldEdit) -> Iterator[Fight]:
    tag = tag_in(edit)
    key = str(edit.path[-1]).lower() if edit.path else ""
    if tag.lower() not in MOVING or "@sha256:" in (edit.after or "") or not key.endswith(("tag", "image")):
        return
    siblings = [each for each in scan.edits if each.file == edit.file and each.path[:-1] == edit.path[:-1]]
    if any((each.after or "").startswith("sha256:") for each in siblings):
        return
    yield Fight("moving-tag", edit.file, edit.document, edit.path, scan.line(edit)[0],
                f"{tag} is a tag that is set to other images: what it names now may be the bad one",
                "restore a digest, or a tag that is set once", "may-undo")  # fmt: skip


def _proposed(scan: Scan, versions: list[FieldEdit]) -> Iterator[Fight]:
    edit = versions[0]
    for path in _DEPENDABOT:
        if "docker" in scan.text(path) or "helm" in scan.text(path):
            yield Fight("dependabot", path, 0, (), 0, f"Dependabot will propose {edit.before} again",
                        f"tell it `@dependabot ignore this dependency` there, or add `ignore` to {path}",
                        "proposes")  # fmt: skip
    seen = [(each, update := renovate.update_of(scan, each), renovate.verdict(scan, update)) for each in versions]
    for each, update, verdict in sorted(seen, key=lambda entry: not (entry[2] and entry[2][1]))[:1]:
        if verdict is not None:
            yield _renovate(each, update.name, *verdict)


def _renovate(edit: FieldEdit, name: str, file: str, merging: str) -> Fight:
    version = literal(Image.read(edit.before or "").tag or edit.before or "")
    rule = f'{{"matchPackageNames": ["{name or "(its name)"}"], "allowedVersions": "!/^{version}$/"}}'
    alone = f", and merge it by itself ({merging})" if merging else ""
    return Fight("renovate", file, 0, (), 0, f"Renovate will propose {edit.before} again{alone}",
                 f"add to packageRules there: {rule}", "may-undo" if merging else "proposes")  # fmt: skip
