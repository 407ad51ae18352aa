"""`locate` and `propose`: the hands alone, on a repository on disk; no cluster, no GitHub, no model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from gitops_sre import wiring
from gitops_sre.action import ACTIONS
from gitops_sre.adapters.git import LocalRepository
from gitops_sre.cli.common import Failure
from gitops_sre.engine import hands
from gitops_sre.gitops import diff, whereabouts
from gitops_sre.gitops import target as targets
from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.gitops.proof import prove_offline
from gitops_sre.gitops.whereabouts import Whereabouts
from gitops_sre.model.change import Draft, Field, FieldEdit, Left, Proof
from gitops_sre.model.outcome import Done, Inconclusive, Refused, Unavailable
from gitops_sre.model.plan import Plan, VerificationPlan
from gitops_sre.model.target import ObjectField, Target, WorkloadRef
from gitops_sre.settings import PolicySettings
from gitops_sre.yamltext import show


@dataclass(frozen=True)
class Place:
    """Where to look: a repository at a commit, and what is known of the target."""

    repository: LocalRepository
    locator: GitOpsLocator
    commit: str
    target: Target
    declared: Whereabouts | None = None
    """How the target's folder was found, where it had to be."""


def _options(command: Any) -> Any:
    """The options that say where and what."""
    for option in reversed((
        click.option("--repo", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
                     help="A work tree or a bare repository; it stays untouched."),
        click.option("--at", "revision", default="HEAD", show_default=True, help="The commit to look at."),
        click.option("--path", default="", help="The app's folder in the repository."),
        click.option("--env", "environment", default="", help="The environment, as the repository's paths name it."),
        click.option("--workload", default="", metavar="NS/KIND/NAME", help="The workload."),
        click.option("--image", default="", help="An image name without tag."),
        click.option("--chart", default="", help="A chart name."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True)
class _Asked:
    """The options as they were given."""

    repo: Path
    revision: str
    path: str
    environment: str
    workload: str
    image: str
    chart: str
    as_json: bool
    culprit: str = ""
    to: str = ""
    settings: tuple[str, ...] = ()
    pin: bool = False
    proof: bool = True
    as_diff: bool = False

    def place(self) -> Place:
        """Where to look. Raises Failure when the commit does not exist, or the workload cannot be found."""
        if ".." in self.path.split("/"):
            raise click.UsageError(
                f"--path {self.path}: give a folder inside the repository, from its root, without .."
            )
        repository = wiring.local(self.repo)
        try:
            return self._found(repository, _commit(repository, self.revision))
        except OSError as error:
            raise Failure(f"{self.repo}: {error}") from error

    def _found(self, repository: LocalRepository, commit: str) -> Place:
        locator, ref = GitOpsLocator(repository), _workload(self.workload)
        if not ref.name:
            return Place(repository, locator, commit, targets.at_path(self.path, self.environment))
        if self.path:
            return Place(repository, locator, commit, targets.at_path(self.path, self.environment, ref))
        found = whereabouts.find(AtCommit(repository, commit), ref, self.environment)
        if isinstance(found, Refused):
            raise Failure(found.reason)
        return Place(repository, locator, commit, targets.at_path(found.folder, self.environment, ref), found)

    def parameters(self, action: str, repository: LocalRepository) -> dict[str, str]:
        """The action's parameters; the culprit as a full SHA."""
        names = [parameter.name for parameter in ACTIONS[action].spec.parameters]
        value = next((name for name in ("to", "value", "replicas", "weights") if name in names), "to")
        given = {"image": self.image, "chart": self.chart, value: self.to, **_pairs(self.settings)}
        given["culprit"] = _commit(repository, self.culprit) if self.culprit else ""
        return {name: text for name, text in given.items() if text}


@click.command()
@_options
def locate(**options: Any) -> int:
    """Print the file and field that decide an image's or a chart's version, and why they do; of a workload alone, those
    of all its images and of its replicas.

    Exit code 1, with the reason on stderr, when there is no such place or more than one could be it.
    """
    asked = _Asked(**options)
    if (asked.image and asked.chart) or not (asked.image or asked.chart or asked.workload):
        raise click.UsageError("give --image, --chart or --workload")
    place = asked.place()
    try:
        found = _located(place, asked.image, asked.chart)
    except OSError as error:
        raise Failure(f"{asked.repo}: {error}") from error
    finally:
        place.repository.close()
    refused = found.reason if isinstance(found, Refused) else None
    fields = () if isinstance(found, Refused) else found
    if asked.as_json:
        shown = [_field(each) for each in fields]
        click.echo(json.dumps({"at": place.commit, "refused": refused, "fields": shown}, indent=2))
    else:
        for each in fields:
            click.echo(f"{each.file}: {show(each.document, each.path)}: {each.value}\n    {each.reason}")
    if refused:
        click.echo(f"gitops-sre: {_inert(refused)}", err=True)
    return 1 if refused else 0


def _located(place: Place, image: str, chart: str) -> tuple[Field, ...] | Refused:
    """The owning fields of an image or a chart; of a workload alone those of all its images and of its replicas."""
    locator, commit, target = place.locator, place.commit, place.target
    if chart:
        return locator.chart_fields(commit, target, chart)
    if image:
        return locator.image_fields(commit, target, image)
    ref, files = target.workload, AtCommit(place.repository, commit)
    declared = place.declared or whereabouts.find(files, ref, target.environment, target.source.path)
    if isinstance(declared, Refused):
        return declared
    replicas = ObjectField(ref.kind, ref.namespace, ref.name, ("spec", "replicas"))
    answers = [locator.image_fields(commit, target, each) for each in declared.images]
    answers.append(locator.object_fields(commit, target, replicas))
    refused = [each.reason for each in answers if isinstance(each, Refused)]
    found = [field for each in answers if not isinstance(each, Refused) for field in each if field.present]
    return tuple(found) if found else Refused("; ".join(refused) or f"no place sets an image or replicas of {ref}")


@click.command()
@click.argument("action", type=click.Choice(sorted(ACTIONS)))
@_options
@click.option("--culprit", default="", help="The commit to undo.")
@click.option("--to", default="", help="The value to set or to go back to.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other parameter of the action.")
@click.option("--pin", is_flag=True, help="Hold off automations that would undo the change, in the same diff.")
@click.option("--proof/--no-proof", default=True, show_default=True, help="Render before and after.")
@click.option("--diff", "as_diff", is_flag=True, help="Print a unified diff, which `git apply` takes (the default).")
def propose(action: str, **options: Any) -> int:
    """Print the change that an action would make: as a unified diff, or as JSON with reasons and proof.

    Exit code 1, with the reason on stderr and in the JSON, when the action is refused.
    """
    asked = _Asked(**options)
    if asked.as_json and asked.as_diff:
        raise click.UsageError("give either --json or --diff")
    place = asked.place()
    answer = _Answer(action, place, asked.parameters(action, place.repository), asked.pin, asked.proof)
    try:
        answer.make()
    except OSError as error:
        raise Failure(f"{asked.repo}: {error}") from error
    finally:
        place.repository.close()
    if asked.as_json:
        click.echo(json.dumps(answer.shown(), indent=2))
    else:
        click.echo(answer.diff, nl=False)
    for line in answer.remarks():
        click.echo(f"gitops-sre: {_inert(line)}", err=True)
    return 1 if answer.refused else 0


@dataclass
class _Answer:
    """What came of a proposal."""

    action: str
    place: Place
    parameters: Mapping[str, str]
    pin: bool
    prove: bool
    refused: str = ""
    made: hands.Made | None = None
    proof: Proof | None = None

    def make(self) -> None:
        """Draft, apply and prove. Raises OSError when the repository cannot be read."""
        where = self.place
        plan = Plan(
            action=self.action,
            target=where.target,
            parameters=self.parameters,
            reason="asked for on the command line",
            hypothesis="",
            confidence=1.0,
            culprit=self.parameters.get("culprit", ""),
            verification=VerificationPlan((), 0, 0, 0),
        )
        made = hands.make(plan, where.repository, where.locator, where.commit, PolicySettings().path)
        if isinstance(made, Refused):
            self.refused = made.reason
            return
        self.made = made
        if self.prove:
            self.proof = prove_offline(
                repository=where.repository,
                renderer=wiring.renderer(),
                locator=where.locator,
                change=made.change,
                target=where.target,
            )
            outcomes = [(check.name, check.outcome) for check in self.proof.checks]
            self.refused = "; ".join(f"{name}: {why.reason}" for name, why in outcomes if isinstance(why, Refused))

    @property
    def diff(self) -> str:
        """The change as a unified diff; empty when it is refused."""
        if self.made is None or self.refused:
            return ""
        return diff.unified((self.made.change if self.pin else self.made.bare).files)

    def remarks(self) -> list[str]:
        """What a person should know beside the diff."""
        if self.refused or self.made is None:
            return [self.refused]
        draft = self.made.draft
        left = [f"left alone: {_where(each)}: {each.reason}" for each in draft.left]
        unshown = [
            f"{check.name}: {check.outcome.reason}"
            for check in (self.proof.checks if self.proof else ())
            if isinstance(check.outcome, (Inconclusive, Unavailable))
        ]
        return [*draft.notes, *left, *unshown]

    def shown(self) -> dict[str, object]:
        """The JSON."""
        edits = self.made.bare.edits if self.made else ()
        draft = self.made.draft if self.made else Draft(())
        return {
            "action": self.action,
            "at": self.place.commit,
            "parameters": dict(self.parameters),
            "refused": self.refused or None,
            "fields": [_edit(each) for each in edits],
            "coupled": [_edit(each) for each in edits if each.part == "coupled"],
            "pins": [_edit(each) for each in draft.edits if each.part == "pin"],
            "left": [{"where": _where(each), "file": each.file, "reason": each.reason} for each in draft.left],
            "notes": list(draft.notes),
            "follow_ups": [_edit(each) for each in draft.follow_ups],
            "proof": _proof(self.proof) if self.proof else None,
            "blast_radius": asdict(self.proof.radius) if self.proof else None,
            "diff": self.diff,
        }


def _proof(proof: Proof) -> dict[str, object]:
    checks = [
        {
            "name": check.name,
            "outcome": check.outcome.kind,
            "reason": check.outcome.note if isinstance(check.outcome, Done) else check.outcome.reason,
        }
        for check in proof.checks
    ]
    return {"checks": checks, "objects": [asdict(each) for each in proof.objects]}


def _inert(text: str) -> str:
    """A message on one line: what cannot be seen is escaped."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _commit(repository: LocalRepository, revision: str) -> str:
    sha = repository.resolve(revision)
    if isinstance(sha, (Refused, Unavailable)):
        raise Failure(sha.reason)
    return sha


def _workload(text: str) -> WorkloadRef:
    parts = text.split("/") if text else ["", "", ""]
    if len(parts) != 3:
        raise click.UsageError(f"--workload {text}: give NS/KIND/NAME, e.g. shop/Deployment/web")
    return WorkloadRef(parts[1], parts[0], parts[2])


def _pairs(settings: Sequence[str]) -> dict[str, str]:
    for each in settings:
        if "=" not in each:
            raise click.UsageError(f"--set {each}: give NAME=VALUE")
    return {name: value for name, _, value in (each.partition("=") for each in settings)}


def _at(each: Field | FieldEdit) -> dict[str, object]:
    where = show(each.document, each.path)
    return {"file": each.file, "document": each.document, "path": list(each.path), "where": where}


def _field(each: Field) -> dict[str, object]:
    return {
        **_at(each),
        "role": each.role,
        "value": each.value,
        "reason": each.reason,
    }


def _edit(each: FieldEdit) -> dict[str, object]:
    return {
        **_at(each),
        "before": each.before,
        "after": each.after,
        "part": each.part,
        "reason": each.reason,
    }


def _where(left: Left) -> str:
    return f"{left.file} ({show(left.document, left.path)})" if left.path else left.file
