from __future__ import annotations

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_sre.delivery.seal import MAX_SEAL, Key, create_key, load_key, seal, unseal
from gitops_sre.model.change import FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.record import ActionRecord
from gitops_sre.settings import ConfigError
from tests.delivery import sample

KEY = Key(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
OTHER = Key(Ed25519PrivateKey.from_private_bytes(b"o" * 32))
REPOSITORY = "acme/infra"

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
edits = st.builds(
    FieldEdit,
    words,
    st.integers(0, 9),
    st.lists(words | st.integers(), max_size=4).map(tuple),
    words,
    words,
    words,
    words,
)
records = st.builds(
    lambda edits, note, refuted, kind: replace(
        sample.record(), edits=edits, refuted=refuted, kind=kind, plan=replace(sample.PLAN, reason=note)
    ),
    st.lists(edits, max_size=3).map(tuple),
    words,
    st.lists(words, max_size=3).map(tuple),
    st.sampled_from(["fix", "revert"]),
)


def message(record: ActionRecord, key: Key = KEY) -> str:
    return f"Roll back checkout\n\nBecause it fails.\n\n{seal(record, key, REPOSITORY)}"


def opened(text: str, repository: str = REPOSITORY, parent: str = sample.BASE) -> ActionRecord | Refused | None:
    return unseal(text, KEY.ring, repository, parent)


@settings(max_examples=60, deadline=None)
@given(records)
def test_a_sealed_record_comes_back_the_same(record: ActionRecord) -> None:
    assert opened(message(record)) == record


def test_a_message_without_record_is_nobodys() -> None:
    assert opened("Bump checkout\n\nSigned-off-by: alice") is None
    assert opened("") is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_one_changed_character_never_yields_another_record(data: st.DataObject) -> None:
    text = message(sample.record())
    at = data.draw(st.integers(text.index("Gitops-Sre-"), len(text) - 1))
    other = data.draw(st.characters(exclude_categories=["Cs"]))
    result = opened(text[:at] + other + text[at + 1 :])
    assert result == sample.record() or not isinstance(result, ActionRecord)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_truncated_message_is_refused(data: st.DataObject) -> None:
    text = message(sample.record())
    end = data.draw(st.integers(text.index("Gitops-Sre-Incident: "), len(text) - 4))
    assert not isinstance(opened(text[:end]), ActionRecord)


def test_a_tampered_record_is_refused_with_a_reason() -> None:
    forged = replace(sample.record(), attempt=2)
    good, bad = message(sample.record()).split("Gitops-Sre-Key:"), message(forged).split("Gitops-Sre-Key:")
    result = opened(bad[0] + "Gitops-Sre-Key:" + good[1])
    assert isinstance(result, Refused)
    assert "signature does not fit" in result.reason


def test_another_repository_is_refused_but_letter_case_is_not() -> None:
    assert isinstance(opened(message(sample.record()), repository="acme/other"), Refused)
    assert opened(message(sample.record()), repository="Acme/Infra") == sample.record()


def test_another_parent_is_refused() -> None:
    assert isinstance(opened(message(sample.record()), parent="e" * 40), Refused)


def test_another_key_is_refused() -> None:
    result = opened(message(sample.record(), OTHER))
    assert isinstance(result, Refused)
    assert OTHER.id in result.reason


def test_trailers_that_contradict_the_record_are_refused() -> None:
    text = message(sample.record()).replace("Gitops-Sre-Kind: fix", "Gitops-Sre-Kind: revert")
    assert isinstance(opened(text), Refused)


def test_a_second_record_in_the_message_is_refused() -> None:
    text = message(sample.record())
    assert isinstance(opened(text + "\nGitops-Sre-Key: x"), Refused)


def test_trailers_of_an_earlier_paragraph_do_not_count() -> None:
    assert opened(message(sample.record()) + "\n\nSigned-off-by: mallory") is None


def test_a_record_of_a_later_version_is_parked_with_a_remedy() -> None:
    result = opened(message(sample.record()).replace("1z.", "9q.", 1))
    assert isinstance(result, Refused)
    assert "release" in result.reason


def test_a_bomb_is_not_inflated() -> None:
    import base64
    import zlib

    bomb = "1z." + base64.urlsafe_b64encode(zlib.compress(b" " * 50_000_000, 9)).decode()
    head, _, tail = message(sample.record()).partition("Gitops-Sre-Record: ")
    text = f"{head}Gitops-Sre-Record: {bomb}\n{tail[tail.index('Gitops-Sre-Key') :]}"
    assert opened(text) == Refused("the record is cut off or too long")


def test_a_record_that_does_not_fit_a_commit_message_is_not_sealed() -> None:
    import random

    noise = random.Random(1).randbytes(MAX_SEAL).hex()
    with pytest.raises(ValueError, match="more than"):
        seal(replace(sample.record(), refuted=(noise,)), KEY, REPOSITORY)


def test_what_json_cannot_hold_is_not_sealed() -> None:
    for bad in (replace(sample.PLAN, confidence=float("nan")), replace(sample.PLAN, reason="\ud800")):
        with pytest.raises(ValueError, match=r"(?i)nan|JSON|surrogate|utf-8"):
            seal(replace(sample.record(), plan=bad), KEY, REPOSITORY)


def test_git_itself_reads_the_trailers(tmp_path: Path) -> None:
    shown = subprocess.run(
        ["git", "interpret-trailers", "--parse", "--unfold"],
        input=message(sample.record()) + "\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    ).stdout
    assert [line.split(":")[0] for line in shown.splitlines()] == [
        f"Gitops-Sre-{name}" for name in ("Incident", "Kind", "Record", "Key", "Signature")
    ]
    assert "Gitops-Sre-Incident: inc-0123456789ab\n" in shown


def test_a_key_is_made_for_its_owner_only_and_reads_back(tmp_path: Path) -> None:
    made = create_key(tmp_path / "key.pem")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert load_key(tmp_path / "key.pem").id == made.id


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    create_key(tmp_path / "key.pem")
    with pytest.raises(ConfigError, match="exists already"):
        create_key(tmp_path / "key.pem")
    with pytest.raises(ConfigError, match="cannot be written"):
        create_key(tmp_path / "missing" / "key.pem")


def test_a_key_that_is_none_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    rsa = generate_private_key(65537, 2048)
    (tmp_path / "rsa").write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for name, what in (("missing", "cannot be read"), ("text", "not an unencrypted PEM"), ("rsa", "another kind")):
        with pytest.raises(ConfigError, match=f"{name}: .*{what}.*--create-key"):
            load_key(tmp_path / name)
