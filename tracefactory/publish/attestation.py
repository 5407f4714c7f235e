"""attestation.json: an in-toto statement about every file of a release, signed with your own key.

The statement (https://in-toto.io/Statement/v1) names each file with its sha256 and says what made
them; the envelope is DSSE (https://github.com/secure-systems-lab/dsse): the signature is over type
and bytes of the statement, so nothing has to be parsed before it is checked. Keys are Ed25519 in
PEM files; no network, no transparency log.

    openssl genpkey -algorithm ed25519 -out key.pem
    openssl pkey -in key.pem -pubout -out pub.pem

Not here: whose key it is. A signature says that the holder of the key signed these files; that the
key is theirs, its owner must have told you by another way.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tracefactory.errors import IntegrityError, RecipeError
from tracefactory.schemas.manifest import Manifest

NAME = "attestation.json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"


class Forged(IntegrityError):
    """The signature, or what it is over, is not what it should be; the message says which."""


class Signature(NamedTuple):
    """Who signed."""

    key_id: str
    """First 16 hex digits of the sha256 of the public key."""
    known: bool
    """It is the key that was asked for; False: none was, and anyone may have made it."""


def sign(files: Mapping[str, str], key: Path, manifest: Manifest) -> bytes:
    """attestation.json over sha256 by name of all files of a release.

    Raises:
        RecipeError: no such file, or it holds no Ed25519 private key without a password.
    """
    private = _private(key)
    payload = orjson.dumps(_statement(files, manifest), option=orjson.OPT_SORT_KEYS)
    public = private.public_key()
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {
                "keyid": key_id(public),
                "sig": base64.b64encode(private.sign(_encoded(payload))).decode(),
                "publicKey": base64.b64encode(_raw(public)).decode(),
            }
        ],
    }
    return orjson.dumps(envelope, option=orjson.OPT_INDENT_2) + b"\n"


def verify(data: bytes, files: Mapping[str, str], public_key: Path | None) -> Signature:
    """Check the signature, and that it is over exactly these files.

    Args:
        data: the envelope.
        files: sha256 by name of all files that are there, but for the envelope.
        public_key: who must have signed; None: any key, whose owner nobody vouches for.

    Raises:
        Forged: the signature is not of that key, or not over these files.
        RecipeError: the public key cannot be read.
    """
    wanted = None if public_key is None else _public(public_key)
    payload, signature, stated = _opened(data)
    public = wanted or stated
    if wanted is not None and _raw(wanted) != _raw(stated):
        raise Forged(f"signed by the key {key_id(stated)}, not by {key_id(wanted)} ({public_key})")
    try:
        public.verify(signature, _encoded(payload))
    except InvalidSignature:
        raise Forged(f"the signature is not of the key {key_id(public)} over this text") from None
    _same_files(payload, files)
    return Signature(key_id(public), wanted is not None)


def key_id(public: Ed25519PublicKey) -> str:
    """Of a public key."""
    return hashlib.sha256(_raw(public)).hexdigest()[:16]


def _statement(files: Mapping[str, str], manifest: Manifest) -> dict[str, Any]:
    return {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": files[name]}} for name in sorted(files)],
        "predicateType": _PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": "https://github.com/tracefactory/recipe/v1",
                "externalParameters": {"recipe": manifest.name, "recipe_id": manifest.recipe_id},
                "internalParameters": {"seed": manifest.seed},
                "resolvedDependencies": [
                    {"name": str(i["name"]), "annotations": {"license": str(i["license"])}}
                    for i in manifest.inputs
                ],
            },
            "runDetails": {
                "builder": {
                    "id": "tracefactory",
                    "version": {"tracefactory": manifest.tracefactory},
                }
            },
        },
    }


def _encoded(payload: bytes) -> bytes:
    """What DSSE signs: type and text, each with its length."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _opened(data: bytes) -> tuple[bytes, bytes, Ed25519PublicKey]:
    try:
        envelope = orjson.loads(data)
        if envelope["payloadType"] != PAYLOAD_TYPE:
            raise Forged(f"{NAME} is of the type {envelope['payloadType']!r}, not {PAYLOAD_TYPE}")
        (one,) = envelope["signatures"]
        payload, signature, public = (
            base64.b64decode(text, validate=True)
            for text in (envelope["payload"], one["sig"], one["publicKey"])
        )
        return payload, signature, Ed25519PublicKey.from_public_bytes(public)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise Forged(f"{NAME} is no envelope with one signature ({error})") from error


def _same_files(payload: bytes, files: Mapping[str, str]) -> None:
    try:
        statement = orjson.loads(payload)
        signed = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    except (ValueError, KeyError, TypeError) as error:
        raise Forged(f"{NAME} holds no statement about files ({error})") from error
    wrong = sorted(name for name in {*signed, *files} if signed.get(name) != files.get(name))
    if wrong:
        name = wrong[0]
        what = "is not signed" if name not in signed else "is missing or not what was signed"
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise Forged(f"{name} {what}{more}")


def _raw(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _private(path: Path) -> Ed25519PrivateKey:
    found = _loaded(path, lambda data: load_pem_private_key(data, None))
    if not isinstance(found, Ed25519PrivateKey):
        raise RecipeError(f"{path} holds no Ed25519 private key; {_HOW_TO}")
    return found


def _public(path: Path) -> Ed25519PublicKey:
    found = _loaded(path, load_pem_public_key)
    if not isinstance(found, Ed25519PublicKey):
        raise RecipeError(f"{path} holds no Ed25519 public key; {_HOW_TO}")
    return found


def _loaded(path: Path, load: Any) -> object:  # noqa: ANN401  (two functions of cryptography)
    try:
        return load(path.read_bytes())
    except OSError as error:
        raise RecipeError(f"no key at {path}: {error.strerror}; {_HOW_TO}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise RecipeError(
            f"{path} is no PEM file of a key without a password; {_HOW_TO}"
        ) from error


_HOW_TO = (
    "make a pair with `openssl genpkey -algorithm ed25519 -out key.pem` and "
    "`openssl pkey -in key.pem -pubout -out pub.pem`"
)
