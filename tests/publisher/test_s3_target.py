"""Publishing to S3, as moto's server speaks it (real HTTP, real boto and s3fs)."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from publishing import assert_whole, digests, publish, rows_of_folder, start

pytest.importorskip("s3fs", reason="NOT TESTED: S3: pip install 'tracefactory[s3]'")
pytest.importorskip("moto", reason="NOT TESTED: S3: pip install 'moto[server]'")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def s3(tmp_path):
    """Environment of a process for which S3 is a server here, with one bucket."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        for _ in range(300):
            try:
                urllib.request.urlopen(urllib.request.Request(f"{url}/sets", method="PUT")).close()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        yield os.environ | {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        server.kill()


FETCH = """\
import sys, s3fs
fs = s3fs.S3FileSystem(skip_instance_cache=True)
root, target = sys.argv[1:]
latest = fs.cat_file(root + "/LATEST").decode().strip()
print(latest)
fs.get(root + "/" + latest + "/", target, recursive=True)
"""


def fetched(s3: dict[str, str], folder: Path) -> Path:
    """What a reader gets: the release that LATEST names."""
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-c", FETCH, "sets/mine", f"{folder}/"],
        env=s3, check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    assert_whole(digests(folder), (folder / "SHA256SUMS").read_bytes())
    return folder


def test_releases_to_a_bucket(s3, base, more, tmp_path):
    first = publish(s3, base, "s3://sets/mine")
    assert rows_of_folder(fetched(s3, tmp_path / "a")) == rows_of_folder(base / "dataset")
    assert not publish(s3, base, "s3://sets/mine")["changed"]
    done = publish(s3, more, "s3://sets/mine")
    assert done["kept_shards"] == first["new_shards"]
    assert rows_of_folder(fetched(s3, tmp_path / "b")) == rows_of_folder(more / "dataset")


def test_killed_on_the_way_to_a_bucket(s3, base, stricter, tmp_path):
    publish(s3, base, "s3://sets/mine")
    allowed = [rows_of_folder(run / "dataset") for run in (base, stricter)]
    for number, seconds in enumerate((1.5, 3.0, 4.0)):
        with start(s3, stricter, "s3://sets/mine") as process:
            time.sleep(seconds)
            process.kill()
        assert rows_of_folder(fetched(s3, tmp_path / str(number))) in allowed
    publish(s3, stricter, "s3://sets/mine")
    assert rows_of_folder(fetched(s3, tmp_path / "last")) == allowed[1]


def test_a_bucket_that_is_not_there_says_so(s3, base):
    said = publish(s3, base, "s3://nowhere/mine", code=4)["said"]
    assert "s3://nowhere/mine" in said
    assert "Traceback" not in said
