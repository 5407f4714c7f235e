"""Who signed a release, and whether what they signed is what is there."""

from collections.abc import Mapping
from pathlib import Path

from tracefactory.audit.faults import Fault, short
from tracefactory.audit.inside import Unsafe, read_bytes
from tracefactory.publish.attestation import NAME as ATTESTATION
from tracefactory.publish.attestation import Forged, verify


def signature(root: Path, sums: Mapping[str, str], key: Path | None) -> tuple[str, list[Fault]]:
    """What can be said of the signature, in a few words, and what is wrong with it."""
    try:
        data = read_bytes(root, ATTESTATION)
    except FileNotFoundError:
        if key is None:
            return "not signed", []
        said = f"a signature by {key.name}"
        return "not signed", [Fault("signature_missing", ATTESTATION, "nothing", said)]
    except (OSError, Unsafe) as error:
        return "unreadable", [Fault("file_unsafe", ATTESTATION, short(str(error)), "a plain file")]
    try:
        signed = verify(data, sums, key)
    except Forged as error:
        return "FORGED", [Fault("signature", ATTESTATION, short(str(error)), "a valid signature")]
    if key is None:
        return f"by key {signed.key_id}, and nobody said whose that is (--key pub.pem)", []
    return f"by key {signed.key_id}, which is {key.name}", []
