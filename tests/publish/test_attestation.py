"""The signature over a release: what it holds for, and what it does not let by."""

import base64
import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.errors import RecipeError
from tracefactory.publish.attestation import Forged, sign, verify
from tracefactory.schemas.manifest import Manifest

FILES = {"README.md": "a" * 64, "sft/train-00000.parquet": "b" * 64}
MANIFEST = Manifest(
    name="small",
    schema_version="2",
    tracefactory="0.0.0",
    recipe_id="0" * 16,
    recipe={"stages": {}},
    seed=7,
    title="Small",
    license=None,
    repository=None,
    parent_release=None,
    funnel={},
    rejected_rows={},
    inputs=[{"name": "families", "license": "Apache-2.0"}],
    configs={},
    files=[],
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """(private, public, another's public), made as the documentation says."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "other"):
        private, public = folder / f"{name}.pem", folder / f"{name}.pub"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return folder / "mine.pem", folder / "mine.pub", folder / "other.pub"


@pytest.fixture(scope="module")
def envelope(keys):
    return sign(FILES, keys[0], MANIFEST)


def test_what_was_signed_is_accepted_and_says_whether_the_key_was_asked_for(keys, envelope):
    known, unknown = verify(envelope, FILES, keys[1]), verify(envelope, FILES, None)
    assert (known.known, unknown.known) == (True, False)
    assert known.key_id == unknown.key_id


def test_the_same_files_and_key_give_the_same_bytes(keys, envelope):
    assert sign(dict(reversed(FILES.items())), keys[0], MANIFEST) == envelope


def test_openssl_accepts_the_signature(keys, envelope, tmp_path):
    one = json.loads(envelope)
    kind, payload = one["payloadType"].encode(), base64.b64decode(one["payload"])
    text = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    (tmp_path / "text").write_bytes(text)
    (tmp_path / "sig").write_bytes(base64.b64decode(one["signatures"][0]["sig"]))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", keys[1]]
    subprocess.run([*command, "-in", "text", "-sigfile", "sig"], check=True, cwd=tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (FILES | {"README.md": "c" * 64}, "README.md is missing or not what was signed"),
        ({"README.md": "a" * 64}, "sft/train-00000.parquet is missing"),
        (FILES | {"more.parquet": "d" * 64}, "more.parquet is not signed"),
    ],
)
def test_other_files_are_named(keys, envelope, files, words):
    with pytest.raises(Forged, match=words):
        verify(envelope, files, keys[1])


def test_another_key_is_refused(keys, envelope):
    with pytest.raises(Forged, match="signed by the key"):
        verify(envelope, FILES, keys[2])


def test_a_statement_that_was_changed_is_refused_even_if_nobody_asks_for_a_key(envelope):
    one = json.loads(envelope)
    payload = base64.b64decode(one["payload"]).replace(b"a" * 64, b"c" * 64)
    one["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(Forged, match="the signature is not of the key"):
        verify(json.dumps(one).encode(), FILES | {"README.md": "c" * 64}, None)


@given(st.data())
def test_no_changed_byte_is_accepted_as_the_same_statement(envelope, keys, data):
    place = data.draw(st.integers(0, len(envelope) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = envelope[:place] + bytes([byte]) + envelope[place + 1 :]
    try:
        found = verify(changed, FILES, keys[1])
    except Forged:
        return
    assert found.known  # white space, or a key's name in JSON that nobody reads


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"payloadType": 3}', b"null"])
def test_what_is_no_envelope_is_forged_and_no_crash(data):
    with pytest.raises(Forged):
        verify(data, FILES, None)


def test_a_key_that_cannot_be_read_says_how_to_make_one(tmp_path, keys):
    (tmp_path / "text").write_text("no key")
    for path in (tmp_path / "none", tmp_path / "text", keys[1]):
        with pytest.raises(RecipeError, match="openssl genpkey"):
            sign(FILES, path, MANIFEST)
