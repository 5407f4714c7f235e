"""What the tests of this folder share: the command in a process of its own, and what must hold."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
from hub_server import HubServer

COMMAND = Path(sys.executable).with_name("tracefactory")
REPO = "me/set"
Rows = dict[str, str]


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        pass

    def at(self, text: str) -> None:
        pass


def environment(server: HubServer, home: Path) -> dict[str, str]:
    """Of a process for which the Hub is this server; HF_ENDPOINT is read at import."""
    return os.environ | {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_TOKEN": "hf_not_a_token",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def keys(folder: Path) -> tuple[Path, Path]:
    """A pair of keys, made as the documentation says: private, public."""
    key, public = folder / "key.pem", folder / "pub.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    return key, public


def start(
    environ: Mapping[str, str], *arguments: object, cwd: Path | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, "publish", *map(str, arguments), "--json"],
        env=environ,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def publish(environ: Mapping[str, str], *arguments: object, code: int = 0) -> dict[str, Any]:
    """Publish in a process; what it printed, its stderr as `said`."""
    with start(environ, *arguments) as process:
        out, said = process.communicate(timeout=240)
    assert process.returncode == code, said[-3000:]
    return (json.loads(out) if out.strip() else {}) | {"said": said}


def sums(data: bytes) -> dict[str, str]:
    return {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in data.decode().splitlines()}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_whole(files: Mapping[str, str], sums_file: bytes) -> None:
    """Every file of a release is there as SHA256SUMS says, and nothing else is."""
    beside = {".gitattributes", "SHA256SUMS", "attestation.json"}
    assert {k: v for k, v in files.items() if k not in beside} == sums(sums_file)


def assert_never_a_part(server: HubServer, repo: str = REPO) -> list[str]:
    """Every commit of the repository but the bare first is a whole release; the releases' shas."""
    releases = []
    for sha, commit in server.repos[repo].commits.items():
        if "SHA256SUMS" in commit.tree:
            assert_whole(server.files(repo, sha), server.read(repo, "SHA256SUMS", sha))
            manifest = server.read(repo, "manifest/manifest.json", sha)
            releases.append(hashlib.sha256(manifest).hexdigest())
        else:
            assert set(commit.tree) <= {".gitattributes", "README.md"}
    return releases


def plain(path: Path) -> Rows:
    """Each row of a file by its id, without the recipe that it came from."""
    rows = pq.read_table(path).to_pylist()
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return {
        i: orjson.dumps({k: v for k, v in row.items() if k != "recipe_id"}).decode()
        for i, row in found.items()
    }


def rows_of_folder(folder: Path) -> dict[str, Rows]:
    """All rows of a release's files by `config/split`, each once."""
    found: dict[str, Rows] = {}
    for path in sorted(folder.glob("*/*-?????.parquet")):
        if path.parent.name == "manifest":
            continue
        into = found.setdefault(f"{path.parent.name}/{path.name.rpartition('-')[0]}", {})
        more = plain(path)
        assert not into.keys() & more.keys()
        into |= more
    return found


def checkout(server: HubServer, folder: Path, revision: str = "main", repo: str = REPO) -> Path:
    """The files of a revision in a folder."""
    commit = server.repos[repo].at(revision)
    assert commit is not None
    for path in commit.tree:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(server.read(repo, path, revision))
    return folder
