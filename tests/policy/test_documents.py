"""Policy documents: read whole or not at all, and every complaint names its place and its remedy."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import openapi_schema_validator  # a part of openapi-core
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.verdict import Level
from gitops_sre.policy.documents import Policies, PolicyError, check, read, schema
from gitops_sre.policy.source import MAX_SIZE, sources
from gitops_sre.settings import shipped
from tests import builders as b
from tests.policy.cases import FOLDER, Tree, document, policies

HEAD = "apiVersion: gitops-sre.dev/v1\nkind: RemediationPolicy\nmetadata: {name: test}\nspec:\n"
RULE = HEAD + "  rules:\n    - name: one\n"
LADDER = (
    "apiVersion: gitops-sre.dev/v1\nkind: AutonomyLadder\nmetadata: {name: test}\nspec:\n  levels:\n    - action: x\n"
)
WINDOW = (
    "apiVersion: gitops-sre.dev/v1\nkind: FreezeWindow\nmetadata: {name: test}\nspec:\n  windows:\n"
    "    - {name: w, reason: r, from: 2026-01-01T00:00:00Z, until: "
)


def problem(content: str | bytes) -> str:
    """What reading a file with this content complains about; without the folder."""
    raw = content.encode() if isinstance(content, str) else content
    with pytest.raises(PolicyError) as caught:
        read(Tree({f"{FOLDER}/p.yaml": raw}), b.SHA, FOLDER)
    assert caught.value.remedy
    return str(caught.value).removeprefix(f"{FOLDER}/")


class TestReading:
    """From a commit."""

    def test_no_folder_opens_nothing(self) -> None:
        assert read(Tree({"apps/a.yaml": b"x: 1"}), b.SHA, FOLDER) == Policies(b.SHA)

    def test_takes_every_document_of_every_file_with_its_place(self) -> None:
        one = document("AutonomyLadder", "  levels: [{action: a, level: L2}]\n")
        two = document("RemediationPolicy", "  rules:\n    - name: r\n    - name: s\n")
        held = policies(f"# two in one\n{one}---\n{two}", document("FreezeWindow", "  windows: []\n"))
        assert [placed.place for placed in held.ladder] == [f"{FOLDER}/0.yaml:6:12"]
        assert [(placed.entry.name, placed.place) for placed in held.rules] == [
            ("r", f"{FOLDER}/0.yaml:13:7"),
            ("s", f"{FOLDER}/0.yaml:14:7"),
        ]
        assert held.commit == b.SHA

    def test_leaves_other_files_alone(self) -> None:
        content: dict[str, bytes | None] = {f"{FOLDER}/README.md": b"\xff", f"{FOLDER}/runbooks/errors.md": b"#"}
        assert read(Tree(content), b.SHA, f"{FOLDER}/") == Policies(b.SHA)

    @pytest.mark.parametrize("content", ["", "---\n", "# nothing\n", "---\n---\n# x\n"])
    def test_empty_documents_say_nothing(self, content: str) -> None:
        assert policies(content) == Policies(b.SHA)

    def test_reads_bom_and_crlf(self) -> None:
        text = document("AutonomyLadder", "  levels:\n    - action: a\n      level: L3\n")
        assert policies("\ufeff" + text.replace("\n", "\r\n")).ladder[0].entry.level == "L3"

    @pytest.mark.parametrize("ending", ["yml", "json"])
    def test_a_policy_file_by_another_ending_is_not_left_out_silently(self, ending: str) -> None:
        with pytest.raises(PolicyError, match=r"end in \.yaml; rename it"):
            read(Tree({f"{FOLDER}/freeze.{ending}": b"{}"}), b.SHA, FOLDER)

    def test_a_file_that_cannot_be_read_is_not_left_out_silently(self) -> None:
        with pytest.raises(PolicyError, match="is not a regular file"):
            read(Tree({f"{FOLDER}/freeze.yaml": None}), b.SHA, FOLDER)


class TestComplaints:
    """Each names file, line, column and remedy."""

    @pytest.mark.parametrize(
        ("content", "place", "said"),
        [
            (RULE + "      celing: L2\n", "7:7", "unknown key"),
            (RULE + "      match: {environment: [x]}\n", "7:15", "unknown key"),
            (RULE + "      ceiling: L5\n", "7:7", "'deny', 'L1', 'L2', 'L3' or 'L4'"),
            (RULE + "      beyond: 1\n", "7:7", "'deny', 'L1', 'L2', 'L3' or 'L4'"),
            (RULE + "      limits: {objects: '2'}\n", "7:16", "should be a valid integer"),
            (RULE + "      limits: {objects: 2.5}\n", "7:16", "should be a valid integer"),
            (RULE + "      limits: {objects: -1}\n", "7:16", "greater than or equal to 0"),
            (RULE + "      limits: {fleetShare: 34}\n", "7:16", "less than or equal to 1"),
            (RULE + "      limits: {fleetShare: .nan}\n", "7:16", "should be a valid number"),
            (RULE + "      limits: {fleet_share: 0.3}\n", "7:16", "unknown key"),
            (RULE + "      limits: {objects: }\n", "7:24", "a value is missing; give one or remove the key"),
            (RULE + "      limits:\n", "7:14", "a value is missing"),
            (RULE + "      match: {environments: []}\n", "7:15", "is empty; give at least one value"),
            (RULE + "      match: {environments: production}\n", "7:15", "should be a valid array"),
            (RULE + "      approvers: [octo/team]\n", "7:19", "should match pattern"),
            (RULE + "      approvers: [12345]\n", "7:19", "must be text; put it in quotes"),
            (RULE + "      when: true\n", "7:7", "must be text; put it in quotes"),
            (RULE + "      when: objects >> 2\n", "7:22", "`when` of rule `one` does not compile: Syntax error"),
            (RULE + "      when: 'objects == \"2\"'\n", "7:22", "(line 1, column 9 of the expression)"),
            (RULE + "      when: |\n        true &&\n          nope\n", "9:11", "undeclared reference to 'nope'"),
            (RULE + "      when: |\n\n        nope\n", "9:9", "undeclared reference to 'nope'"),
            (RULE + "      when: >\n        true\n        && nope\n", "7:13", "line 1, column 9 of the expression"),
            (RULE + "      when: true\n        && nope\n", "7:13", "line 1, column 9 of the expression"),
            (RULE + "      when: \"'\\x41' == nope\"\n", "7:13", "line 1, column 8 of the expression"),
            (RULE + '      when: "true &&\\n nope"\n', "7:13", "line 2, column 2 of the expression"),
            (RULE + "      when: " + "(" * 99 + "true" + ")" * 99 + "\n", "7:13", "recursion limit"),
            (RULE + "      ceiling: L1\n      ceiling: L4\n", "8:7", "`ceiling` is given twice"),
            (RULE + "    - name: one\n", "7:7", "the name `one` stands already at"),
            (HEAD + "  rules:\n    - ceiling: L1\n", "6:7", "`spec.rules.0.name`: is missing; add it"),
            (HEAD + "  rules: {}\n", "5:3", "should be a valid array"),
            (HEAD + "  rules: []\n  levels: []\n", "6:3", "unknown key"),
            (HEAD.replace("/v1", "/v2") + "  rules: []\n", "1:1", "`apiVersion`: Input should be 'gitops-sre.dev/v1'"),
            (HEAD.replace("name: test", "name: Test") + "  rules: []\n", "3:12", "should match pattern"),
            (HEAD.replace("Remediation", "Remediaton") + "  rules: []\n", "2:1", "is not a kind of policy document"),
            ("spec: {}\n", "1:1", "`kind` is missing; name one of AutonomyLadder, RemediationPolicy, FreezeWindow"),
            ("kind: [AutonomyLadder]\n", "1:1", "is not a kind"),
            ("- 1\n", "1:1", "a policy document is a mapping"),
            ("just text\n", "1:1", "a policy document is a mapping"),
            (LADDER + "      level: L0\n", "7:7", "'L1', 'L2', 'L3' or 'L4'"),
            (LADDER + "      level: deny\n", "7:7", "'L1', 'L2', 'L3' or 'L4'"),
            (LADDER, "6:7", "`spec.levels.0.level`: is missing"),
            (LADDER + "      level: L2\n      tier: ''\n", "8:7", "is empty"),
            (WINDOW + "2026-01-02}\n", "6:56", "must be an RFC 3339 time in UTC, such as"),
            (WINDOW + "2026-01-02T00:00:00+02:00}\n", "6:56", "must be an RFC 3339 time in UTC"),
            (WINDOW + "2026-13-02T00:00:00Z}\n", "6:56", "month must be in 1..12"),
            (WINDOW + "2026-01-01T00:00:00Z}\n", "6:7", "`until` must be after `from`"),
        ],
    )
    def test_about_what_is_written(self, content: str, place: str, said: str) -> None:
        complaint = problem(content)
        assert complaint.startswith(f"p.yaml:{place}: "), complaint
        assert said in complaint
        assert "\n" not in complaint

    @pytest.mark.parametrize(
        ("content", "place", "said"),
        [
            ("a: [1\nb: 2\n", "2:2", "not usable YAML"),
            ("a:\n\t- 1\n", "2:1", "not usable YAML"),
            (b"a: 1\nb: \xff\n", "2:1", "not UTF-8 text; save it as UTF-8"),
            ("a: 1\nb: \x07\n", "2:1", "character U+0007 is not allowed"),
            ("a: &x 1\n", "1:4", "anchors and aliases"),
            ("a: *x\n", "1:4", "anchors and aliases"),
            ("a: !!python/object/apply:os.system [id]\n", "1:4", "tags are not read"),
            ("a: !!str 1\n", "1:4", "tags are not read"),
            ("<<: {a: 1}\n", "1:1", "a key must be a plain word"),
            ("? [a]\n: 1\n", "1:3", "a key must be a plain word"),
            ("[" * 5000, "1:33", "nested deeper than 32 levels"),
            ("#" * (MAX_SIZE + 1), "1:1", "larger than 262144 bytes"),
        ],
    )
    def test_about_what_cannot_be_read(self, content: str | bytes, place: str, said: str) -> None:
        complaint = problem(content)
        assert complaint.startswith(f"p.yaml:{place}: "), complaint
        assert said in complaint

    def test_the_first_in_the_file_comes_first(self) -> None:
        assert problem(RULE + "      zzz: 1\n      ceiling: L7\n").startswith("p.yaml:7:7: `spec.rules.0.zzz`")

    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: HEAD.encode() + text.encode()))
    def test_anything_else_never_comes_out(self, content: bytes) -> None:
        complaints: list[PolicyError] = []
        try:
            read(Tree({f"{FOLDER}/p.yaml": content}), b.SHA, FOLDER)
        except PolicyError as error:
            complaints.append(error)
        assert all(error.place.startswith(f"{FOLDER}/p.yaml:") for error in complaints)


class TestNarrowYaml:
    """Words that YAML versions read differently stay words."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("on", "on"),
            ("yes", "yes"),
            ("010", "010"),
            ("1_000", "1_000"),
            ("1:30", "1:30"),
            ("2026-01-01", "2026-01-01"),
            ("1e3", "1e3"),
            ("-7", -7),
            ("0.5", 0.5),
            ("true", True),
            ("'true'", "true"),
            ('""', ""),
        ],
    )
    def test_scalars(self, text: str, value: object) -> None:
        (found,) = sources("p.yaml", f"a: {text}\n".encode())
        assert isinstance(found.data, dict)
        assert found.data["a"] == value
        assert type(found.data["a"]) is type(value)


class TestCheck:
    """A folder on disk, for `config check`."""

    def test_lists_every_problem(self, tmp_path: Path) -> None:
        (tmp_path / "deep").mkdir()
        (tmp_path / "a.yaml").write_text(f"{RULE}      x: 1\n---\n{LADDER}      level: L9\n", encoding="utf-8")
        (tmp_path / "deep" / "b.yaml").write_text("a: [", encoding="utf-8")
        (tmp_path / "c.yml").write_text("", encoding="utf-8")
        assert [problem.place for problem in check(tmp_path)] == [
            f"{tmp_path}/a.yaml:7:7",
            f"{tmp_path}/a.yaml:15:7",
            f"{tmp_path}/c.yml:1:1",
            f"{tmp_path}/deep/b.yaml:1:5",
        ]

    def test_is_silent_about_good_ones(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(RULE, encoding="utf-8")
        assert check(tmp_path) == ()

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        (found,) = check(tmp_path / "nowhere")
        assert "is not a folder" in str(found)


class TestSchemas:
    """The published JSON Schema says what the reader says."""

    GOOD: ClassVar = {
        "AutonomyLadder": LADDER + "      level: L2\n",
        "RemediationPolicy": RULE + "      limits: {fleetShare: 0.3, objects: 1}\n      match: {tiers: [a]}\n",
        "FreezeWindow": WINDOW + "2026-02-01T00:00:00Z}\n",
    }

    @pytest.mark.parametrize("kind", GOOD)
    def test_accept_what_is_read(self, kind: str) -> None:
        assert policies(self.GOOD[kind]) != Policies(b.SHA)
        assert not self.errors(self.GOOD[kind])

    @pytest.mark.parametrize("path", sorted(shipped("policies").glob("*.yaml")), ids=lambda path: path.name)
    def test_accept_what_is_shipped(self, path: Path) -> None:
        assert not self.errors(path.read_text(encoding="utf-8"))

    @pytest.mark.parametrize(
        "text",
        [
            LADDER + "      level: deny\n",
            LADDER.replace("AutonomyLadder", "Ladder") + "      level: L2\n",
            RULE + "      limits: {fleet_share: 0.3}\n",
            RULE + "      limits: {objects: null}\n",
            WINDOW + "2026-02-01T00:00:00Z, what: 1}\n",
        ],
    )
    def test_refuse_what_is_refused(self, text: str) -> None:
        problem(text)
        assert self.errors(text)

    @staticmethod
    def errors(text: str) -> list[Any]:
        validator = openapi_schema_validator.OAS31Validator(schema())
        # As an editor reads it, but for times, which JSON has as text.
        return list(validator.iter_errors(json.loads(json.dumps(yaml.safe_load(text), default=datetime.isoformat))))


def test_levels_are_ordered_as_documents_name_them() -> None:
    held = policies(document("AutonomyLadder", "  levels: [{action: a, level: L2}]\n"))
    assert Level[held.ladder[0].entry.level] is Level.L2
