"""Sources rendered before and after a change, each in a throw-away folder, and the objects that differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from gitops_sre.gitops import kustomize, substitution, workspace
from gitops_sre.gitops.built import Difference, Identity, by_identity, differences, fields
from gitops_sre.gitops.files import KUSTOMIZATIONS, AtCommit, Files, detect, kustomization_in, plain_source
from gitops_sre.gitops.workspace import Folder, Prepared, prepare
from gitops_sre.model.change import Change
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source
from gitops_sre.ports import Locator, Manifest, Renderer, Repository
from gitops_sre.yamltext import YamlTextError

_PARALLEL = 4
_UNSTABLE = re.compile(
    r"\b(?:rand(?:Alpha|Numeric|AlphaNum|Ascii|Bytes|Int)|gen(?:CA|SelfSignedCert|SignedCert|PrivateKey)|now|uuidv4|"
    r"lookup|htpasswd|bcrypt|derivePassword|shuffle)"
)
"""Template functions whose result is another one each time, or that ask the cluster."""


@dataclass(frozen=True)
class Sides:
    """One source of an application as it stands, and as it will be: an edit may change what the source itself says.
    `kind` and `file` are what the application is and where it is declared, where that is known."""

    application: str
    before: Source
    after: Source
    file: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Rendering:
    """What rendering every affected application came to.

    `failures` are applications with why they could not be rendered, `notes` what was left out of those that could;
    `makers` are the kinds and names of the GitOps objects among those applications; `twice` are objects that the
    changed build holds more than once and whether they do so already; `objects` are all objects of the changed build
    by application.
    """

    differences: tuple[Difference, ...]
    failures: tuple[tuple[str, Unavailable], ...]
    notes: tuple[tuple[str, str], ...]
    applications: tuple[str, ...]
    makers: frozenset[tuple[str, str]]
    twice: tuple[tuple[Identity, bool], ...]
    objects: Mapping[str, Mapping[Identity, Manifest]]

    def and_then(self, more: Rendering) -> Rendering:
        """This rendering and another, of what its own objects render in turn."""
        apps = tuple(dict.fromkeys((*self.applications, *more.applications)))
        return Rendering(
            self.differences + more.differences,
            self.failures + more.failures,
            self.notes + more.notes,
            apps,
            self.makers | more.makers,
            self.twice + more.twice,
            {**self.objects, **more.objects},
        )


@dataclass(frozen=True)
class _Built:
    """One side of a source; `again` is a second build of the same files where it may come out differently."""

    objects: tuple[Manifest, ...]
    notes: tuple[str, ...]
    again: tuple[Manifest, ...] = ()


@dataclass(frozen=True)
class _Changed:
    """The files of a repository with a change in them."""

    files: Files
    texts: Mapping[str, str]

    def text(self, path: str) -> str | None:
        """A file's text as it will be."""
        return self.texts[path] if path in self.texts else self.files.text(path)

    def under(self, folder: str) -> tuple[str, ...]:
        """Paths of the files below a folder; a change makes no new ones."""
        return self.files.under(folder)


def changed_files(repository: Repository, change: Change) -> Files:
    """The repository as the change will leave it."""
    return _Changed(AtCommit(repository, change.base), {file.path: file.after for file in change.files})


def render(
    repository: Repository, renderer: Renderer, locator: Locator, change: Change, sources: Sequence[Sides]
) -> Rendering:
    """Render each source that reads a changed file, at the base and with the change, in throw-away folders.

    Raises OSError when the repository cannot be read.
    """
    texts = {file.path: file.after for file in change.files}
    old, new = AtCommit(repository, change.base), changed_files(repository, change)
    inputs = {each: _inputs(locator, change.base, old, new, each, frozenset(texts)) for each in sources}
    jobs = [each for each in sources if inputs[each] & set(texts) or each.before != each.after]
    with TemporaryDirectory(prefix="proof-") as folder:
        base = Path(folder, "base")
        repository.export(change.base, base, sorted(set(texts).union(*(inputs[each] for each in jobs))))

        def built(task: tuple[int, Sides, bool]) -> _Built | Unavailable:
            at, job, forth = task
            source, changed = (job.after, texts) if forth else (job.before, {})
            place = Path(folder, f"{at}-{'after' if forth else 'before'}")
            return _build(renderer, place, base, inputs[job], changed, source, twice=not forth)

        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            done = list(pool.map(built, [(at, job, forth) for at, job in enumerate(jobs) for forth in (False, True)]))
    return _compared(jobs, list(zip(done[::2], done[1::2], strict=True)))


def objects(
    repository: Repository, renderer: Renderer, locator: Locator, commit: str, sources: Iterable[Source]
) -> dict[Source, tuple[Manifest, ...] | Unavailable]:
    """What each source makes at a commit. Raises OSError when the repository cannot be read."""
    files = AtCommit(repository, commit)
    inputs = {source: reads(locator, commit, files, source) for source in sources}
    with TemporaryDirectory(prefix="render-") as folder:
        base = Path(folder, "base")
        repository.export(commit, base, sorted(frozenset[str]().union(*inputs.values())))

        def built(task: tuple[int, Source]) -> _Built | Unavailable:
            place = Path(folder, str(task[0]))
            return _build(renderer, place, base, inputs[task[1]], {}, task[1], twice=False)

        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            done = list(pool.map(built, enumerate(inputs)))
    return {
        source: made if isinstance(made, Unavailable) else made.objects
        for source, made in zip(inputs, done, strict=True)
    }


def _inputs(
    locator: Locator, commit: str, old: Files, new: Files, sides: Sides, changed: Iterable[str]
) -> frozenset[str]:
    """Every file that either side reads."""
    source = plain_source(sides.before)
    found = reads(locator, commit, old, sides.before) | reads(locator, commit, old, sides.after)
    kind = detect(old, source.path) if source.kind == "unknown" else source.kind
    moved = [path for path in changed if path in found and path.rpartition("/")[2] in KUSTOMIZATIONS]
    if kind == "kustomize" and moved:  # it may include something else now
        try:
            found |= kustomize.read(new, source.path).inputs
        except YamlTextError:
            return found
    return found


def reads(locator: Locator, commit: str, files: Files, source: Source) -> frozenset[str]:
    """Every file that a source's rendering reads at a commit, with what its GitOps object adds."""
    if source.chart:
        return frozenset(source.value_files)
    source = plain_source(source)
    folders = [*workspace.components(source)]
    if source.kind == "kustomize" and kustomization_in(files, source.path) is None:
        # Flux builds the outermost kustomizations below the folder, and every manifest that is in none of them.
        below = files.under(source.path)
        tops = _outermost({path.rpartition("/")[0] for path in below if path.rpartition("/")[2] in KUSTOMIZATIONS})
        found = frozenset(path for path in below if not any(path.startswith(f"{top}/") for top in tops))
        folders += tops
    else:
        found = locator.inputs(commit, source)
    return found.union(*(locator.inputs(commit, Source("", folder, kind="kustomize")) for folder in folders))


def _outermost(folders: Iterable[str]) -> list[str]:
    found: list[str] = []
    for folder in sorted(folders):
        if not found or not folder.startswith(f"{found[-1]}/"):
            found.append(folder)
    return found


def _build(
    renderer: Renderer, place: Path, base: Path, inputs: Iterable[str], changed: Mapping[str, str], source: Source,
    *, twice: bool,
) -> _Built | Unavailable:  # fmt: skip
    try:
        ready = prepare(place, base, inputs, changed, source)
        first = _finished(renderer, ready)
        again = _finished(renderer, ready) if twice and _unstable(ready) else None
    except (YamlTextError, OSError) as error:
        return Unavailable(f"{source.path or '.'} cannot be rendered: {error}")
    if isinstance(first, _Built) and isinstance(again, _Built):
        return replace(first, again=again.objects)
    return first


def _finished(renderer: Renderer, ready: Prepared) -> _Built | Unavailable:
    """The objects of a prepared source, with its variables in them."""
    objects = renderer.render(ready.tree, ready.source)
    if isinstance(objects, Unavailable):
        return Unavailable(ready.plain(objects.reason))
    notes = ready.notes
    if ready.source.substitutions is not None:
        objects, missing = substitution.substituted(objects, dict(ready.source.substitutions))
        if missing:
            notes += (f"the variables {', '.join(missing[:5])} have no value in the repository and stay as they are",)
    return _Built(objects, notes)


def _unstable(ready: Prepared) -> bool:
    """Whether two builds of a chart may differ by themselves; a packed chart cannot be looked into."""
    if ready.source.kind != "helm":
        return False
    files = Folder(ready.tree).under(ready.source.path)
    if any(path.endswith(".tgz") for path in files):
        return True
    templates = (path for path in files if "/templates/" in f"/{path}")
    return any(_UNSTABLE.search((ready.tree / path).read_text("utf-8", "replace")) for path in templates)


def _compared(jobs: Sequence[Sides], built: Sequence[tuple[_Built | Unavailable, _Built | Unavailable]]) -> Rendering:
    failures: list[tuple[str, Unavailable]] = []
    notes: dict[tuple[str, str], None] = {}
    found: list[Difference] = []
    twice: dict[Identity, bool] = {}
    objects: dict[str, dict[Identity, Manifest]] = {}
    for job, (one, two) in zip(jobs, built, strict=True):
        if isinstance(one, Unavailable) or isinstance(two, Unavailable):
            failures += [(job.application, result) for result in (one, two) if isinstance(result, Unavailable)][:1]
            continue
        notes |= dict.fromkeys((job.application, note) for note in (*one.notes, *two.notes))
        before, already = by_identity(one.objects, job.before.namespace)
        after, now = by_identity(two.objects, job.after.namespace)
        twice |= {each: each in already for each in now}
        objects.setdefault(job.application, {}).update(after)
        again, _ = by_identity(one.again, job.before.namespace)
        for each in differences(job.application, before, after):
            kept, shaky = _settled(each, before, again)
            if kept is not None:
                origin = workspace.plain(kept.origin)
                found.append(replace(kept, origin=origin, path=job.before.path, declared=job.file))
            if shaky:
                notes[job.application, f"{each.identity} {shaky[0]} is another at each rendering; left out"] = None
    apps = tuple(dict.fromkeys(job.application for job in jobs))
    makers = frozenset((job.kind, job.application.partition(" (")[0]) for job in jobs if job.kind)
    return Rendering(tuple(found), tuple(failures), tuple(notes), apps, makers, tuple(twice.items()), objects)


def _settled(
    difference: Difference, before: Mapping[Identity, Manifest], again: Mapping[Identity, Manifest]
) -> tuple[Difference | None, tuple[str, ...]]:
    """A difference without the fields that differ between two builds of the same files."""
    one, other = before.get(difference.identity), again.get(difference.identity)
    if one is None or other is None:
        return difference, ()
    shaky = {each.path for each in fields(one, other)}
    kept = tuple(each for each in difference.fields if each.path not in shaky)
    left = tuple(each.path for each in difference.fields if each.path in shaky)
    return (replace(difference, fields=kept) if kept else None), left
