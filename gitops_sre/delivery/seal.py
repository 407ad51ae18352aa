"""The durable record of an action: `ActionRecord` <-> signed trailers of the head commit's message.

Trailers (the last paragraph of the message; long values are folded, continuation lines begin with a space):

    Gitops-Sre-Incident:  id of the incident            } for people and `git log --grep`; both must agree
    Gitops-Sre-Kind:      fix | revert                  } with the record
    Gitops-Sre-Record:    `1j.` or `1z.` + base64url of the record's canonical JSON (z: compressed by zlib)
    Gitops-Sre-Key:       id of the signing key
    Gitops-Sre-Signature: base64url of an Ed25519 signature

The signature covers the JSON, the repository and the commit's parent, so that a record copied to another place is
refused. It does not cover the tree: that the commit itself is the bot's is the forge's to say (verified, by its login).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import TypeAdapter, ValidationError

from gitops_sre.model.outcome import Refused
from gitops_sre.model.record import ActionRecord
from gitops_sre.settings import ConfigError

MAX_SEAL = 200_000
"""Longest trailer block, in characters."""
_MAX_JSON = 2_000_000
_COMPRESS_ABOVE = 400
_WIDTH = 72
_PREFIX = "Gitops-Sre-"
_RECORD = "gitops-sre record 1"
_NAMES = ("Incident", "Kind", "Record", "Key", "Signature")


@dataclass(frozen=True)
class Key:
    """A signing key. `id` is derived from the public half, so that both sides name it alike."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> Ed25519PublicKey:
        """The half that checks signatures."""
        return self.private.public_key()

    @property
    def id(self) -> str:
        """As `key_id` names it."""
        return key_id(self.public)

    @property
    def ring(self) -> Mapping[str, Ed25519PublicKey]:
        """What `unseal` takes when this is the only key."""
        return {self.id: self.public}


def key_id(public: Ed25519PublicKey) -> str:
    """First 16 hex digits of SHA-256 over the raw public key."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def create_key(path: Path) -> Key:
    """Make a key and write it as PEM that only its owner may read. Raises ConfigError when the file exists."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists already; a new key would orphan what the old one signed") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    return Key(key)


def load_key(path: Path) -> Key:
    """Read a key. Raises ConfigError that names the file and the remedy."""
    remedy = "`gitops-sre doctor --create-key FILE` makes one"
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: not an unencrypted PEM private key; {remedy}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError(f"{path}: holds another kind of key than Ed25519; {remedy}")
    return Key(private)


def load_public(path: Path) -> Mapping[str, Ed25519PublicKey]:
    """The public key of a PEM file, by id; of a private key its public half. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); `gitops-sre ledger key` prints one") from error
    if b"PRIVATE KEY" in data:
        return load_key(path).ring
    try:
        public = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: not a PEM key; `gitops-sre ledger key` prints one") from error
    if not isinstance(public, Ed25519PublicKey):
        raise ConfigError(f"{path}: holds another kind of key than Ed25519; `gitops-sre ledger key` prints one")
    return {key_id(public): public}


def seal(record: ActionRecord, key: Key, repository: str) -> str:
    """The trailer block of a record. The commit's parent must be `record.base`.

    Raises ValueError when the record cannot be written down exactly (no number, lone surrogates, too long).
    """
    text = _canonical(record)
    packed = zlib.compress(text, 9) if len(text) > _COMPRESS_ABOVE else text
    scheme = "1j." if packed is text else "1z."
    signature = sign(key, _RECORD, repository, record.base.encode(), text)
    values = (record.incident, record.kind, scheme + _encode(packed), key.id, signature)
    block = "\n".join(_fold(f"{_PREFIX}{name}: {value}") for name, value in zip(_NAMES, values, strict=True))
    if len(block) > MAX_SEAL:
        raise ValueError(f"the record of {record.incident} takes {len(block)} characters, more than {MAX_SEAL}")
    return block


def unseal(
    message: str, keys: Mapping[str, Ed25519PublicKey], repository: str, parent: str
) -> ActionRecord | Refused | None:
    """The record in a commit message: None when there is none, Refused when there is one that must not be believed.

    `parent` is the SHA of the commit's only parent, `keys` the public keys that are trusted, by id.
    """
    found = _trailers(message)
    if not found:
        return None
    if sorted(found) != sorted(_NAMES):
        return Refused("the record's trailers are not complete")
    key = keys.get(found["Key"])
    if key is None:
        return Refused(f"the record is signed with the unknown key {found['Key'][:32]!r}")
    text = _unpack(found["Record"])
    if isinstance(text, Refused):
        return text
    try:
        verify(key, found["Signature"], _RECORD, repository, parent.encode(), text)
        record = _adapter().validate_json(text)
    except (InvalidSignature, ValidationError, ValueError):
        return Refused("the record's signature does not fit its content, this repository and this parent")
    if (record.incident, record.kind, record.base) != (found["Incident"], found["Kind"], parent):
        return Refused("the record's trailers contradict the record")
    return record


@cache
def _adapter() -> TypeAdapter[ActionRecord]:
    return TypeAdapter(ActionRecord)


def _canonical(record: ActionRecord) -> bytes:
    plain = _adapter().dump_python(record, mode="json")
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def sign(key: Key, purpose: str, repository: str, *parts: bytes) -> str:
    """An Ed25519 signature as base64url. What is signed for one purpose or repository is worth nothing for another."""
    return _encode(key.private.sign(_signed(purpose, repository, parts)))


def verify(key: Ed25519PublicKey, signature: str, purpose: str, repository: str, *parts: bytes) -> None:
    """Raises InvalidSignature, or ValueError for what is no base64url."""
    key.verify(_decode(signature), _signed(purpose, repository, parts))


def _signed(purpose: str, repository: str, parts: Sequence[bytes]) -> bytes:
    """What is signed. GitHub's repository names do not tell upper from lower case."""
    return b"\0".join((purpose.encode(), repository.lower().encode(), *parts))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii")


def _decode(text: str) -> bytes:
    """Only from the one text that `_encode` gives: unused bits at the end could be anything."""
    data = base64.b64decode(text, altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise ValueError("not canonical base64url")
    return data


def _fold(line: str) -> str:
    return "\n ".join(line[start : start + _WIDTH] for start in range(0, len(line), _WIDTH))


def _trailers(message: str) -> dict[str, str]:
    """The bot's trailers of the last paragraph, unfolded; one that stands twice counts as incomplete."""
    found: dict[str, str] = {}
    for line in message.rstrip().rpartition("\n\n")[2].replace("\n ", "").split("\n"):
        name, colon, value = line.partition(":")
        if not colon or not name.startswith(_PREFIX):
            continue
        name = name.removeprefix(_PREFIX)
        found[name if name not in found else f"{name} again"] = value.strip()
    return found


def _unpack(value: str) -> bytes | Refused:
    scheme, _, packed = value.partition(".")
    if scheme not in {"1j", "1z"}:
        return Refused("the record is of another version; run the release that wrote it, or a later one")
    try:
        data = _decode(packed)
        if scheme == "1j":
            return data
        inflater = zlib.decompressobj()
        text = inflater.decompress(data, _MAX_JSON)
    except (ValueError, zlib.error):
        return Refused("the record cannot be decoded")
    return text if inflater.eof else Refused("the record is cut off or too long")
