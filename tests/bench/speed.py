"""How long it takes to find a value and to write the commit that changes it, beside git's own tools.

    python -m tests.bench.speed [--files 1000,5000,20000] [--apps 8] [--markdown FILE]

Everything that is compared runs in one go on the same generated repositories; times are medians. A cold look-up has
a new repository and a new locator; a warm one has answered before; the one after a commit sees a commit that is new to
it and that changed a few other files. Peak memory is that of a fresh process that makes one cold look-up.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console

from gitops_sre.adapters.git import CommitWriter, LocalRepository
from gitops_sre.gitops.edit import apply
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.model.change import Change, Field, FieldEdit, FileEdit
from gitops_sre.model.target import Source, Target, WorkloadRef
from tests.bench.generate import ENV, App, Made, generate, git
from tests.bench.page import put

_AUTHOR = "Bench <bench@example.com>"
_WHEN = datetime(2026, 2, 1, tzinfo=UTC)
_ROUNDS = 40
_FRESH = "import sys; from tests.bench.speed import fresh; fresh(*sys.argv[1:])"


@dataclass
class Times:
    """Seconds of each measured thing at one size."""

    files: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak: float = 0.0

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Note how long a block takes."""
        start = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)

    def median(self, *names: str) -> float:
        """Milliseconds; NaN when it was not measured."""
        found = [each for name in names for each in self.seconds.get(name, [])]
        return 1000 * median(found) if found else math.nan


def peak() -> float:
    """The largest memory that this process has had, in MB. (`ru_maxrss` would count its parent's too.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def located(locator: GitOpsLocator, commit: str, overlay: str, name: str, image: str) -> tuple[Field, ...]:
    """The owning fields of an app's image, which must be found; without a workload's name from the folder alone."""
    workload = WorkloadRef("Deployment" if name else "", "prod" if name else "", name)
    target = Target(name, "prod", "", workload, "", Source("", overlay, kind="kustomize"))
    found = locator.image_fields(commit, target, image)
    if not isinstance(found, tuple):
        raise SystemExit(f"{image} was not located: {found.reason}")
    return found


def edited(repository: LocalRepository, commit: str, found: Sequence[Field], tag: str) -> Change:
    """The change that sets a new tag in what was located."""
    one = found[0]
    after = f"{one.value.rpartition(':')[0]}:{tag}" if one.role == "image" else tag
    change = apply(
        repository, commit, [FieldEdit(one.file, one.document, one.path, one.value, after, one.raw, after)], ""
    )
    if not isinstance(change, Change):
        raise SystemExit(f"{one.file} was not edited: {change.reason}")
    return change


def fresh(path: str, overlay: str, name: str, image: str) -> None:
    """One cold look-up in a process of its own: prints its seconds and the peak memory in MB."""
    start = time.perf_counter()
    with closing(LocalRepository(Path(path))) as repository:
        located(GitOpsLocator(repository), str(repository.head()), overlay, name, image)
    print(time.perf_counter() - start, peak())


def measure(made: Made, apps: Sequence[App], scratch: Path, say: Callable[[str], None]) -> Times:
    """Everything at one size."""
    times = Times(made.files)
    head = git(made.path, "rev-parse", "HEAD")
    for number, app in enumerate(apps):
        say(f"{made.files} files: cold, app {number + 1} of {len(apps)}")
        _cold(times, made, app, head)
    say(f"{made.files} files: the tools beside it")
    for app in apps[:3]:
        _checkout(times, made, app, scratch)
    say(f"{made.files} files: warm")
    _warm(times, made, apps, head)
    return times


def _cold(times: Times, made: Made, app: App, head: str) -> None:
    with times.of("git grep"):
        git(made.path, "grep", "-lF", app.image, head)
    with times.of(f"cold {app.kind}"), closing(LocalRepository(made.path)) as repository:
        located(GitOpsLocator(repository), head, app.overlay("prod"), app.name, app.image)
    if not app.in_base:
        with times.of("cold folder"), closing(LocalRepository(made.path)) as repository:
            located(GitOpsLocator(repository), head, app.overlay("prod"), "", app.image)
    with times.of("process"):
        command = [sys.executable, "-c", _FRESH, str(made.path), app.overlay("prod"), app.name, app.image]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    times.peak = max(times.peak, float(done.stdout.split()[1]))


def _warm(times: Times, made: Made, apps: Sequence[App], head: str) -> None:
    """One repository and one locator that stay: again, after commits that change other files, and with an edit."""
    with closing(LocalRepository(made.path)) as repository, closing(CommitWriter(made.path)) as writer:
        locator = GitOpsLocator(repository)
        for app in apps:
            located(locator, head, app.overlay("prod"), app.name, app.image)
            if not app.in_base:
                located(locator, head, app.overlay("prod"), "", app.image)
        for round_number in range(_ROUNDS):
            app = apps[round_number % len(apps)]
            place = (app.overlay("prod"), app.name, app.image)
            with times.of(f"warm {app.kind}"):
                found = located(locator, head, *place)
            if not app.in_base:
                with times.of("warm folder"):
                    located(locator, head, app.overlay("prod"), "", app.image)
            with times.of("floor"):
                _floor(made, head, found[0].file, f"v9.{round_number}.0")
            with times.of("edit"):
                found = located(locator, head, *place)
                change = edited(repository, head, found, f"v9.{round_number}.1")
                writer.write(head, change.files, "Bump", _AUTHOR, _WHEN)
            head = _bumps(repository, writer, made, head, round_number)
            if app.in_base or round_number % 4 < 2:
                with times.of(f"after {app.kind}"):
                    located(locator, head, *place)
            else:
                with times.of("after folder"):
                    located(locator, head, app.overlay("prod"), "", app.image)


def _bumps(repository: LocalRepository, writer: CommitWriter, made: Made, head: str, number: int) -> str:
    """A commit on top that sets new tags for three apps."""
    apps = [made.apps[(7 * number + step) % len(made.apps)] for step in range(3)]
    files = []
    for app in apps:
        path = f"{app.overlay('dev')}/kustomization.yaml"
        text = (repository.read(head, path) or b"").decode()
        files.append(FileEdit(path, text, f"{text}# {number}\n"))
    return writer.write(head, files, "Bumps", _AUTHOR, _WHEN)


def _floor(made: Made, head: str, path: str, tag: str) -> None:
    """The same commit by git's plumbing: one process for the blob, two for each folder, one for the commit."""
    text = git(made.path, "cat-file", "blob", f"{head}:{path}")
    oid = git(made.path, "hash-object", "-w", "--stdin", stdin=f"{text}\n# {tag}\n")
    mode, kind = "100644", "blob"
    folder, _, name = path.rpartition("/")
    while True:
        lines = git(made.path, "ls-tree", f"{head}:{folder}").splitlines()
        kept = [line for line in lines if line.partition("\t")[2] != name]
        oid = git(made.path, "mktree", stdin="\n".join([*kept, f"{mode} {kind} {oid}\t{name}"]) + "\n")
        if not folder:
            break
        mode, kind = "040000", "tree"
        folder, _, name = folder.rpartition("/")
    git(made.path, "commit-tree", oid, "-p", head, "-m", "Bump")


def _checkout(times: Times, made: Made, app: App, scratch: Path) -> None:
    """What a script would do: clone, find by grep, replace, commit; and the edit alone with the usual tools."""
    work = scratch / "work"
    shutil.rmtree(work, ignore_errors=True)
    place = work / app.overlay("prod") / "kustomization.yaml"
    with times.of("clone, checkout, commit"):
        git(scratch, "clone", "-q", "--depth=1", f"file://{made.path}", str(work))
        git(work, "grep", "-lF", app.image)
        place.write_text(f"{place.read_text()}# bumped\n")
        git(work, "commit", "-q", "-a", "-m", "Bump")
    for name, command in _TOOLS.items():
        if command[0] in _there():
            with times.of(name):
                subprocess.run([*command[:-1], command[-1].format(image=app.image)], cwd=place.parent, env=ENV,
                               check=True, capture_output=True)  # fmt: skip


def _there() -> frozenset[str]:
    """Those of the tools that are on PATH; there are two programs called yq, and only Mike Farah's edits in place."""
    found = {name for name in ("kustomize", "kubectl", "yq") if shutil.which(name)}
    if "yq" in found:
        said = subprocess.run(["yq", "--version"], check=False, capture_output=True, text=True).stdout
        found -= set() if "mikefarah" in said else {"yq"}
    return frozenset(found)


_TOOLS = {
    "kustomize edit set image": ("kustomize", "edit", "set", "image", "{image}:v9.9.9"),
    "kustomize build": ("kustomize", "build", "."),
    "kubectl kustomize": ("kubectl", "kustomize", "."),
    "yq -i": ("yq", "-i", '.images[0].newTag = "v9.9.9"', "kustomization.yaml"),
}


def table(all_times: Sequence[Times]) -> str:
    """The measurements as Markdown, with what was promised beside them."""
    smallest = all_times[0]
    rows: list[tuple[str, Callable[[Times], str]]] = [
        ("`git grep -lF IMAGE HEAD`", lambda t: _ms(t.median("git grep"))),
        ("cold locate, tag in the overlay", lambda t: _beside(t.median("cold overlay"), t.median("git grep"))),
        ("cold locate, tag in a shared base", lambda t: _beside(t.median("cold base"), t.median("git grep"))),
        ("cold locate, from a folder alone", lambda t: _beside(t.median("cold folder"), t.median("git grep"))),
        ("the first two, as a process with all imports", lambda t: _ms(t.median("process"))),
        ("peak memory of that process (< 150 MB)", lambda t: f"{t.peak:.0f} MB"),
        ("warm locate, overlay (<= 5 ms)", lambda t: _ms(t.median("warm overlay"))),
        ("warm locate, shared base (<= 5 ms)", lambda t: _ms(t.median("warm base"))),
        ("warm locate, from a folder alone (<= 5 ms)", lambda t: _ms(t.median("warm folder"))),
        ("after a commit that changed 3 files, overlay", lambda t: _ms(t.median("after overlay"))),
        ("after a commit that changed 3 files, shared base", lambda t: _ms(t.median("after base"))),
        ("after a commit that changed 3 files, from a folder alone", lambda t: _ms(t.median("after folder"))),
        (f"warm, against {smallest.files:,} files (<= 1.5 x)", lambda t: _times(_warm_of(t), _warm_of(smallest))),
        ("plumbing floor: hash-object, ls-tree + mktree, commit-tree", lambda t: _ms(t.median("floor"))),
        ("locate + edit + commit object (<= 2 x floor)", lambda t: _beside(t.median("edit"), t.median("floor"))),
        ("clone --depth=1, checkout, edit, commit", lambda t: _ms(t.median("clone, checkout, commit"))),
        *((f"`{name}` in that checkout", lambda t, name=name: _ms(t.median(name))) for name in _TOOLS),
    ]  # fmt: skip
    lines = [f"| | {' | '.join(f'{t.files:,} files' for t in all_times)} |", f"|---|{'---:|' * len(all_times)}"]
    lines += [f"| {name} | {' | '.join(cell(t) for t in all_times)} |" for name, cell in rows]
    return "\n".join(lines)


def _warm_of(times: Times) -> float:
    return times.median(*(f"{when} {kind}" for when in ("warm", "after") for kind in ("overlay", "base", "folder")))


def _ms(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f} ms"


def _times(value: float, unit: float) -> str:
    return f"{value / unit:.2f} x"


def _beside(value: float, unit: float) -> str:
    return f"{_ms(value)} ({_times(value, unit)})"


def _some(apps: Sequence[App], count: int) -> list[App]:
    """Apps from all over the repository, both kinds in turn."""
    kinds = [[app for app in apps if app.in_base is in_base] for in_base in (False, True)]
    return [kinds[n % 2][(n * len(kinds[n % 2])) // count] for n in range(count)]


def machine() -> str:
    """What it ran on."""
    model = next(
        (
            line.partition(": ")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    absent = sorted({"kustomize", "kubectl", "yq"} - _there())
    note = f"; not on PATH: {', '.join(absent)}" if absent else ""
    return (f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
            f"{git(Path.cwd(), 'version')}, load {os.getloadavg()[0]:.1f}{note}")  # fmt: skip


def main() -> None:
    """Measure, print the table, and write it where asked."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", default="1000,5000,20000", help="sizes, separated by commas")
    options.add_argument("--apps", type=int, default=8, help="apps that are looked up at each size")
    options.add_argument("--markdown", type=Path, help="a page in which to put the table between its markers")
    chosen = options.parse_args()
    console = Console(stderr=True)
    measured = []
    with tempfile.TemporaryDirectory() as folder, console.status("") as status:
        for files in map(int, chosen.files.split(",")):
            status.update(f"generating {files} files")
            made = generate(Path(folder, f"{files}.git"), files)
            measured.append(measure(made, _some(made.apps, chosen.apps), Path(folder), status.update))
            shutil.rmtree(made.path)
    text = f"{table(measured)}\n\nMeasured on {machine()}.\n"
    sys.stdout.write(text)
    if chosen.markdown is not None:
        put(chosen.markdown, "speed", text)


if __name__ == "__main__":
    main()
