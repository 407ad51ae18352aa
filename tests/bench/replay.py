"""Score the hands on recorded rollbacks of public repositories: `make bench REPLAY=DIR`.

DIR holds `dev.jsonl` (a case a line), `corpora/` (bare repositories, also packed as `.git.tar.zst`) and `check.py`, the
scorer. For each case the command line is asked as a user would ask it, and its diff is scored; plain `git revert`
stands beside it. Prints Markdown tables and every case that is not exact, with the reason that was given.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from gitops_sre import yamltext
from gitops_sre.adapters.git import LocalRepository
from gitops_sre.cli.main import main as command_line
from gitops_sre.model.outcome import Unavailable
from tests.bench.page import put
from tests.bench.speed import machine

Case = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One thing that is asked of one case."""

    suite: str
    case: Case
    at: str
    arguments: tuple[str, ...]
    differs: str = ""
    """Why the person's values cannot be known from the question; reported apart."""


@dataclass(frozen=True)
class Answer:
    """What came of it."""

    question: Question
    verdict: str
    """exact, subset, superset or wrong by the scorer, or refused."""
    reason: str
    seconds: float
    applies: bool
    expected: int = 0
    right: int = 0


SUITES: dict[str, str] = {
    "K1 culprit, at once": "undo of a given commit, at the commit itself",
    "K1 culprit, later": "undo of a given commit, 1-7 days later",
    "K2 culprit": "what a person reverted, commit given",
    "K1 alone": "image or chart and folder only, last commit undone",
    "K2 alone": "image or chart and folder only, where a person reverted one step",
    "K2 alone, differs": "as before, where the person went elsewhere than one step back",
}


def questions(case: Case) -> Iterator[Question]:
    """Everything that the issue measures of a case."""
    folder = ("--path", case["app_dir"]) if case["app_dir"] else ()
    environment = ("--env", case["env"]) if case["env"] else ()
    undo = ("revert_change", "--culprit", case["culprit"] or "", *folder)
    if case["kind"] == "K1":
        yield Question("K1 culprit, at once", case, "base", undo)
        if case["base_later"]:
            yield Question("K1 culprit, later", case, "later", undo)
    elif case["culprit"] and case["last_good_match"]:
        yield Question("K2 culprit", case, "base", undo)
    name = ("--chart", case["chart"]) if case["action"] == "chart-version" and case["chart"] else ()
    name = name or (
        ("--image", case["image"]) if case["image"] else ("--chart", case["chart"]) if case["chart"] else ()
    )
    if not name or case["action"] not in ("image", "chart-version", "ref"):
        return
    alone = ("rollback_image", *name, *folder, *environment)
    if case["kind"] == "K1":
        yield Question("K1 alone", case, "base", alone)
    else:
        one = case.get("restore_depth") == 1
        yield Question("K2 alone" if one else "K2 alone, differs", case, "base", alone)


def ask(question: Question, roots: str, scorer: str) -> Answer:
    """Run the command line and score what it printed."""
    case = question.case
    repository = os.path.join(roots, case["repo"].replace("/", "+", 1) + ".git")
    revision = case["base"] if question.at == "base" else case["base_later"]
    action, *rest = question.arguments
    output, errors = io.StringIO(), io.StringIO()
    start = time.perf_counter()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = command_line(["propose", action, "--repo", repository, "--at", revision, *rest])
    seconds = time.perf_counter() - start
    reason = " | ".join(errors.getvalue().split("\n")).strip(" |")
    if code != 0:
        return Answer(question, "refused" if code == 1 else f"exit {code}", reason, seconds, applies=True)
    check = _module(scorer)
    diff = output.getvalue().encode("utf-8", "surrogateescape")
    try:
        result = check.score(case, repository, check.got_from_diff(repository, revision, diff), question.at)
    except check.Reject as error:
        return Answer(question, "wrong", f"{error}; {reason}", seconds, applies=False)
    said = f"{reason}; extra: {result['extra'][:3]}; missing: {result['missing'][:3]}; wrong: {result['wrong'][:2]}"
    both = result["fields"] if result["fields"] != "exact" else result["bytes"]
    return Answer(question, both, said, seconds, _applies(repository, revision, diff),
                  result["n_expected"], result["n_right"])  # fmt: skip


def _applies(repository: str, revision: str, diff: bytes) -> bool:
    """Whether git takes the diff as it is, on a tree of that commit."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GIT_INDEX_FILE": os.path.join(folder, "index")}
        git = ["git", "-c", "safe.directory=*", f"--git-dir={repository}"]
        subprocess.run([*git, "read-tree", revision], env=environment, check=True)
        done = subprocess.run(
            [*git, "apply", "--cached", "--check"], input=diff, env=environment, capture_output=True, check=False
        )
        return done.returncode == 0


def baseline(case: Case, roots: str, at: str) -> str:
    """What plain `git revert` does: exact, other, or conflict."""
    recorded = case.get("baseline", {}).get("later" if at == "later" else "base")
    if recorded is None:
        return "not recorded"
    if not recorded["git_revert_clean"]:
        return "conflict"
    return "exact" if recorded["git_revert_exact"] else "other"


_MODULES: dict[str, ModuleType] = {}


def _module(path: str) -> ModuleType:
    if path not in _MODULES:
        sys.path.insert(0, os.path.dirname(path))
        spec = importlib.util.spec_from_file_location("replay_check", path)
        if spec is None or spec.loader is None:
            raise SystemExit(f"{path}: no scorer")
        _MODULES[path] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return _MODULES[path]


def unpacked(folder: Path, into: Path) -> Path:
    """A folder of bare repositories; packed ones are unpacked first."""
    packed = sorted(folder.glob("*.tar.zst"))
    for each in packed:
        if not (into / each.name.removesuffix(".tar.zst")).exists():
            subprocess.run(["tar", "--zstd", "-xf", str(each), "-C", str(into)], check=True)
    return into if packed else folder


def table(answers: Sequence[Answer], roots: str) -> str:
    """A Markdown table, a row a suite."""
    lines = ["| question | cases | exact | named subset | refused | wrong | median s | `git revert` exact |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for suite, meaning in SUITES.items():
        mine = [a for a in answers if a.question.suite == suite]
        if not mine:
            continue
        verdicts = Counter(a.verdict for a in mine)
        wrong = len(mine) - verdicts["exact"] - verdicts["subset"] - verdicts["refused"]
        reverts = Counter(baseline(a.question.case, roots, a.question.at) for a in mine)
        known = sum(reverts.values()) - reverts["not recorded"]
        reverted = f"{reverts['exact']} of {known}" if known else "-"
        times = sorted(a.seconds for a in mine)
        lines.append(
            f"| {suite}: {meaning} | {len(mine)} | {_share(verdicts['exact'], len(mine))} | {verdicts['subset']} | "
            f"{verdicts['refused']} | {wrong} | {times[len(times) // 2]:.2f} | "
            f"{reverted} |"
        )
    return "\n".join(lines)


def round_trip(repositories: Sequence[Path]) -> str:
    """Put every scalar of every YAML and JSON file at HEAD in again as it stands; whether each byte is the same."""
    lines = ["| repository | files | read | byte-identical | not read |", "|---|---|---|---|---|"]
    for path in repositories:
        repository = LocalRepository(path)
        head = repository.head()
        if isinstance(head, Unavailable):
            raise SystemExit(head.reason)
        whole = [name for name in repository.files(head) if name.endswith((".yaml", ".yml", ".json"))]
        told = Counter(_again(repository.read(head, name) or b"") for name in whole)
        read = told["same"] + told["changed"]
        name = path.name.removesuffix(".git").replace("+", "/", 1)
        why = ", ".join(f"{count} {reason}" for reason, count in told.items() if reason not in ("same", "changed"))
        lines.append(f"| {name} | {len(whole)} | {read} | {_share(told['same'], read)} | {why or '-'} |")
        repository.close()
    return "\n".join(lines)


def _again(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
        edits = [(*each.place, each.raw) for each in yamltext.scalars(text)
                 if each.style != "empty" and not each.type.startswith("!")]  # fmt: skip
        return "same" if yamltext.splice_raw(text, edits).encode() == data else "changed"
    except UnicodeDecodeError:
        return "not UTF-8"
    except yamltext.YamlTextError as error:
        return "templates" if "template" in str(error) else "not valid YAML"


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f}%)"


def rest(answers: Sequence[Answer]) -> str:
    """Every case that is not exact, with the reason that was given."""
    lines = []
    for a in answers:
        if a.verdict != "exact" or not a.applies:
            c = a.question.case
            lines.append(f"- {a.question.suite}: {c['id']} {a.verdict}: {a.reason[:600]}"
                         + ("" if a.applies else " (git does not apply it)"))  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    """Ask everything, two cases at a time; show progress on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("replay", type=Path)
    parser.add_argument("--corpora", type=Path, help="unpacked repositories, to save the time")
    parser.add_argument("--only", default="", help="part of a suite's name or of a case's id")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--markdown", type=Path, help="a page in which to put the tables between its markers")
    options = parser.parse_args()
    cases = [json.loads(line) for line in (options.replay / "dev.jsonl").open(encoding="utf-8")]
    asked = [q for case in cases for q in questions(case) if options.only in q.suite or options.only in q.case["id"]]
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        roots = str(options.corpora or unpacked(options.replay / "corpora", Path(folder)))
        answers = _all(asked, roots, str(options.replay / "check.py"), options.jobs)
        text = report(answers, roots)
        if not options.only:
            found = {case["repo"].replace("/", "+", 1) for case in cases}
            text += f"\n\nUntouched round trip:\n\n{round_trip([Path(roots, f'{name}.git') for name in sorted(found)])}"
    print(text)
    if options.markdown is not None:
        put(options.markdown, "replay", text)
    return 0


def report(answers: Sequence[Answer], roots: str) -> str:
    """Everything that is printed."""
    refused = sum(not answer.applies for answer in answers)
    return (
        f"{table(answers, roots)}\n\n{len(answers)} questions; {refused} diffs that `git apply --check` refuses. "
        f"Measured on {machine()}.\n\nNot exact, with what was said:\n\n{rest(answers)}"
    )


def _all(asked: Sequence[Question], roots: str, scorer: str, jobs: int) -> list[Answer]:
    answers: list[Answer] = []
    with ProcessPoolExecutor(jobs) as pool:
        for answer in pool.map(_Ask(roots, scorer), asked, chunksize=4):
            answers.append(answer)
            print(f"\r{len(answers)} of {len(asked)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return answers


@dataclass(frozen=True)
class _Ask:
    roots: str
    scorer: str

    def __call__(self, question: Question) -> Answer:
        return ask(question, self.roots, self.scorer)


if __name__ == "__main__":
    sys.exit(main())
