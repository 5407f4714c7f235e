"""A Hub on 127.0.0.1: what `huggingface_hub` and `datasets` need of it, and faults on demand.

Real HTTP, real commits with parents, LFS by its basic route (Xet off). Large files lie in a folder,
the rest in memory. Every request is logged with its body's size, so a test can count what was sent.
Not here: accounts, pull requests, Xet.
"""

import base64
import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

LARGE = (".parquet", ".bin")
"""Files that are kept as LFS, as the Hub's own .gitattributes says."""

REPO = r"/api/datasets/(?P<repo>[^/]+/[^/]+)"
RESOLVE = r"/datasets/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)"


class Entry(NamedTuple):
    """A file of a commit: its content is `data`, or lies in the LFS folder under `lfs`."""

    size: int
    oid: str
    data: bytes | None = None
    lfs: str | None = None


def blob(data: bytes) -> Entry:
    oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return Entry(len(data), oid, data=data)


@dataclass
class Commit:
    sha: str
    parent: str | None
    title: str
    tree: Mapping[str, Entry]


@dataclass
class Repo:
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    main: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, title: str, tree: Mapping[str, Entry]) -> Commit:
        text = f"{self.main} {title} {sorted((k, v.oid) for k, v in tree.items())}"
        commit = Commit(hashlib.sha1(text.encode()).hexdigest(), self.main or None, title, tree)
        self.commits[commit.sha] = commit
        self.main = commit.sha
        return commit

    def at(self, revision: str) -> Commit | None:
        name = urllib.parse.unquote(revision)
        sha = self.main if name in ("main", "refs/heads/main") else self.tags.get(name, name)
        return self.commits.get(sha)


@dataclass
class Fault:
    """Something that goes wrong with requests that match `on` ("POST /api/.../commit/...")."""

    on: str
    times: int = 1
    status: int | None = None
    """Answer this instead of doing it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: str | None = None
    """`before`: close the connection undone; `after`: do it, then close without an answer."""
    hold: threading.Event | None = None
    """Do nothing until this is set."""
    first: Callable[[], object] | None = None
    """Called before the request is done: somebody else's work in between."""
    reached: threading.Event = field(default_factory=threading.Event)
    """Set when a request met the fault."""


class Dropped(Exception):
    """Close the connection without an answer."""


class HubServer(ThreadingHTTPServer):
    """The server, its repositories, its faults and its log."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.repos: dict[str, Repo] = {}
        self.faults: list[Fault] = []
        self.log: list[tuple[str, str, int]] = []
        """(method, path, bytes of the body) of each request, in order."""
        self.behind = 0
        """So many answers about `main` will be those of the commit before."""
        self.unseen: dict[str, int] = {}
        """Files that will be 404 so many times more, though the commit has them."""
        self.lock = threading.RLock()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that were killed go away in the middle: no news."""

    def fault(self, on: str, **what: Any) -> Fault:
        made = Fault(on, **what)
        self.faults.append(made)
        return made

    def met(self, request: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.on, request):
                    fault.times -= 1
                    return fault
        return None

    def sent(self, pattern: str) -> int:
        """Bytes of the bodies of all requests that match."""
        return sum(n for method, path, n in self.log if re.search(pattern, f"{method} {path}"))

    def count(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, f"{m} {path}")) for m, path, _ in self.log)

    def read(self, repo: str, path: str, revision: str = "main") -> bytes:
        commit = self.repos[repo].at(revision)
        assert commit is not None
        return self.content(commit.tree[path])

    def content(self, entry: Entry) -> bytes:
        if entry.data is not None:
            return entry.data
        return (self.folder / str(entry.lfs)).read_bytes()

    def files(self, repo: str, revision: str = "main") -> dict[str, str]:
        """sha256 of every file of a revision, from its content."""
        commit = self.repos[repo].at(revision)
        assert commit is not None
        return {
            path: hashlib.sha256(self.content(entry)).hexdigest()
            for path, entry in commit.tree.items()
        }

    def push(self, repo: str, files: Mapping[str, bytes | None], title: str = "by hand") -> str:
        """Commit as somebody else would."""
        with self.lock:
            found = self.repos.setdefault(repo, Repo(private=False))
            tree = dict(found.commits[found.main].tree) if found.main else {}
            for path, data in files.items():
                if data is None:
                    tree.pop(path)
                else:
                    tree[path] = blob(data)
            return found.add(title, tree).sha


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """The log is the server's list."""

    def _handle(self) -> None:
        path, _, query = self.path.partition("?")
        self.query = urllib.parse.parse_qs(query)
        size = int(self.headers.get("Content-Length") or 0)
        fault = self.server.met(f"{self.command} {path}")
        if fault is not None:
            fault.reached.set()
            if fault.hold is not None:
                fault.hold.wait(120)
            if fault.first is not None:
                fault.first()
            if fault.drop == "before":
                self.close_connection = True
                return
        self.body = self.rfile.read(size) if size else b""
        if len(self.body) < size:
            self.close_connection = True  # the client was killed while it sent
            return
        with self.server.lock:
            self.server.log.append((self.command, path, size))
        if fault is not None and fault.status is not None:
            self.answer({"error": "a fault on demand"}, fault.status, fault.headers)
            return
        self.mute = fault is not None and fault.drop == "after"
        for method, pattern, do in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                do(self, **match.groupdict())
                return
        self.missing("EntryNotFound")

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _handle

    def answer(self, data: Any, status: int = 200, headers: Mapping[str, str] | None = None):
        self.reply(
            json.dumps(data).encode(),
            status,
            {"Content-Type": "application/json"} | dict(headers or {}),
        )

    def reply(self, data: bytes, status: int, headers: Mapping[str, str]) -> None:
        if getattr(self, "mute", False):
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def missing(self, code: str, status: int = 404) -> None:
        self.answer({"error": code}, status, {"X-Error-Code": code})

    # --- repositories ---------------------------------------------------------------------

    def create(self) -> None:
        want = json.loads(self.body)
        name = f"{want.get('organization') or 'me'}/{want['name']}"
        url = {"url": f"{self.server.url}/datasets/{name}"}
        if name in self.server.repos:
            self.answer(url | {"error": "exists"}, 409)
            return
        private = want.get("private") or want.get("visibility") == "private"
        repo = self.server.repos[name] = Repo(bool(private))
        repo.add("initial commit", {".gitattributes": blob(b"*.parquet filter=lfs\n")})
        self.answer(url)

    def found(self, repo: str, revision: str = "main") -> tuple[Repo, Commit] | None:
        known = self.server.repos.get(urllib.parse.unquote(repo))
        if known is None:
            self.missing("RepoNotFound")
            return None
        commit = known.at(revision)
        if commit is None:
            self.missing("RevisionNotFound")
            return None
        if revision == "main" and self.command in ("GET", "HEAD") and self.server.behind > 0:
            self.server.behind -= 1
            commit = known.commits.get(commit.parent or "", commit)
        return known, commit

    def info(self, repo: str, revision: str = "main") -> None:
        if pair := self.found(repo, revision):
            known, commit = pair
            self.answer(
                {
                    "id": repo,
                    "sha": commit.sha,
                    "private": known.private,
                    "disabled": False,
                    "gated": False,
                    "downloads": 0,
                    "likes": 0,
                    "tags": [],
                    "lastModified": "2026-01-01T00:00:00.000Z",
                    "createdAt": "2026-01-01T00:00:00.000Z",
                    "siblings": [{"rfilename": path} for path in sorted(commit.tree)],
                }
            )

    def refs(self, repo: str) -> None:
        if pair := self.found(repo):
            known, commit = pair
            tags = [
                {"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha}
                for name, sha in known.tags.items()
            ]
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": commit.sha}
            self.answer({"branches": [main], "converts": [], "tags": tags})

    def tag(self, repo: str, revision: str) -> None:
        if pair := self.found(repo, urllib.parse.unquote(revision)):
            known, commit = pair
            name = json.loads(self.body)["tag"]
            if name in known.tags:
                self.answer({"error": "tag exists"}, 409)
                return
            known.tags[name] = commit.sha
            self.answer({"name": name})

    def commits(self, repo: str, revision: str) -> None:
        if pair := self.found(repo, revision):
            known, commit = pair
            listed, at = [], commit
            while at is not None:
                listed.append(
                    {"id": at.sha, "title": at.title, "message": "", "authors": [],
                     "date": "2026-01-01T00:00:00.000Z"}
                )  # fmt: skip
                at = known.commits.get(at.parent or "")
            self.answer(listed)

    # --- reading --------------------------------------------------------------------------

    def listed(self, path: str, entry: Entry) -> dict[str, Any]:
        found: dict[str, Any] = {
            "type": "file", "path": path, "size": entry.size, "oid": entry.oid,
        }  # fmt: skip
        if entry.lfs:
            found["lfs"] = {"oid": entry.lfs, "size": entry.size, "pointerSize": 130}
        return found

    def seen(self, path: str) -> bool:
        with self.server.lock:
            left = self.server.unseen.get(path, 0)
            self.server.unseen[path] = max(0, left - 1)
        return left <= 0

    def tree(self, repo: str, revision: str, folder: str | None = None) -> None:
        if pair := self.found(repo, urllib.parse.unquote(revision)):
            _, commit = pair
            inside = f"{urllib.parse.unquote(folder)}/" if folder else ""
            deep = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
            files, folders = [], set()
            for path, entry in sorted(commit.tree.items()):
                if not path.startswith(inside) or not self.seen(path):
                    continue
                parts = path[len(inside) :].split("/")
                for depth in range(1, len(parts) if deep else min(2, len(parts))):
                    folders.add(inside + "/".join(parts[:depth]))
                if deep or len(parts) == 1:
                    files.append(self.listed(path, entry))
            if inside and not files and not folders:
                self.missing("EntryNotFound")
                return
            dirs = [{"type": "directory", "path": p, "size": 0, "oid": "0" * 40} for p in folders]
            self.answer(sorted(dirs, key=lambda d: d["path"]) + files)

    def paths_info(self, repo: str, revision: str) -> None:
        if pair := self.found(repo, urllib.parse.unquote(revision)):
            _, commit = pair
            kind = self.headers.get("Content-Type", "")
            form = (
                json.loads(self.body)
                if "json" in kind
                else urllib.parse.parse_qs(self.body.decode())
            )
            paths = form.get("paths", [])
            self.answer(
                [self.listed(p, commit.tree[p]) for p in paths if p in commit.tree and self.seen(p)]
            )

    def resolve(self, repo: str, revision: str, path: str) -> None:
        pair = self.found(repo, urllib.parse.unquote(revision))
        if pair is None:
            return
        _, commit = pair
        name = urllib.parse.unquote(path)
        entry = commit.tree.get(name)
        if entry is None or not self.seen(name):
            self.missing("EntryNotFound")
            return
        headers = {
            "X-Repo-Commit": commit.sha,
            "ETag": f'"{entry.lfs or entry.oid}"',
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        if entry.lfs:
            headers |= {"X-Linked-ETag": f'"{entry.lfs}"', "X-Linked-Size": str(entry.size)}
        if self.command == "HEAD":
            self.reply(b"", 200, headers | {"Content-Length": str(entry.size)})
            return
        self.ranged(self.server.content(entry), headers)

    def ranged(self, data: bytes, headers: dict[str, str]) -> None:
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not match or not data:
            self.reply(data, 200, headers)
            return
        first, last = match.groups()
        start = int(first) if first else max(0, len(data) - int(last))
        end = min(int(last), len(data) - 1) if first and last else len(data) - 1
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        self.reply(data[start : end + 1], 206, headers)

    # --- writing --------------------------------------------------------------------------

    def validate(self) -> None:
        self.answer({"errors": [], "warnings": []})

    def preupload(self, repo: str, revision: str) -> None:
        if pair := self.found(repo, urllib.parse.unquote(revision)):
            _, commit = pair
            answers = []
            for file in json.loads(self.body)["files"]:
                path = file["path"]
                mode = "lfs" if path.endswith(LARGE) or file["size"] > 10 << 20 else "regular"
                known = commit.tree.get(path)
                answers.append(
                    {"path": path, "uploadMode": mode, "shouldIgnore": False}
                    | ({"oid": known.lfs or known.oid} if known else {})
                )
            self.answer({"files": answers})

    def batch(self, repo: str) -> None:
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            found = {"oid": wanted["oid"], "size": wanted["size"]}
            if not (self.server.folder / wanted["oid"]).exists():
                href = f"{self.server.url}/lfs/{wanted['oid']}"
                verify = {"href": f"{self.server.url}/lfs-verify"}
                found["actions"] = {"upload": {"href": href, "header": {}}, "verify": verify}
            objects.append(found)
        self.answer({"transfer": "basic", "objects": objects})

    def put(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            self.answer({"error": "hash differs"}, 422)
            return
        (self.server.folder / oid).write_bytes(self.body)
        self.reply(b"", 200, {})

    def verify(self) -> None:
        wanted = json.loads(self.body)
        path = self.server.folder / wanted["oid"]
        whole = path.exists() and path.stat().st_size == wanted["size"]
        self.answer({}, 200 if whole else 404)

    def commit(self, repo: str, revision: str) -> None:
        with self.server.lock:
            pair = self.found(repo, urllib.parse.unquote(revision))
            if pair is None:
                return
            known, head = pair
            lines = [json.loads(line) for line in self.body.splitlines()]
            parent = lines[0]["value"].get("parentCommit")
            if parent and parent != head.sha:
                self.answer({"error": "A commit has happened since. Please refresh."}, 412)
                return
            tree = dict(head.tree)
            for line in lines[1:]:
                problem = self.change(tree, line["key"], line["value"])
                if problem:
                    self.answer({"error": problem}, 400)
                    return
            made = known.add(lines[0]["value"]["summary"], tree)
        url = f"{self.server.url}/datasets/{repo}/commit/{made.sha}"
        self.answer({"success": True, "commitOid": made.sha, "commitUrl": url})

    def change(self, tree: dict[str, Entry], key: str, value: dict[str, Any]) -> str | None:
        path = value["path"]
        if key == "file":
            tree[path] = blob(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            stored = self.server.folder / value["oid"]
            if not stored.exists():
                return f"{path}: LFS object {value['oid']} is not there"
            size = stored.stat().st_size
            tree[path] = Entry(size, blob(value["oid"].encode()).oid, lfs=value["oid"])
        elif key == "deletedFile":
            if path not in tree:
                return "A file with this name doesn't exist"
            del tree[path]
        else:
            return f"{key} is not known here"
        return None


ROUTES: list[tuple[str, str, Callable[..., None]]] = [
    ("POST", r"/api/repos/create", Handler.create),
    ("POST", r"/api/validate-yaml", Handler.validate),
    ("GET", REPO, Handler.info),
    ("GET", REPO + r"/revision/(?P<revision>.+)", Handler.info),
    ("GET", REPO + r"/refs", Handler.refs),
    ("GET", REPO + r"/commits/(?P<revision>.+)", Handler.commits),
    ("POST", REPO + r"/tag/(?P<revision>.+)", Handler.tag),
    ("GET", REPO + r"/tree/(?P<revision>[^/]+)(/(?P<folder>.+))?", Handler.tree),
    ("POST", REPO + r"/paths-info/(?P<revision>.+)", Handler.paths_info),
    ("POST", REPO + r"/preupload/(?P<revision>.+)", Handler.preupload),
    ("POST", REPO + r"/commit/(?P<revision>.+)", Handler.commit),
    ("POST", r"/datasets/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", Handler.put),
    ("POST", r"/lfs-verify", Handler.verify),
    ("GET", RESOLVE, Handler.resolve),
    ("HEAD", RESOLVE, Handler.resolve),
]


@contextmanager
def hub(folder: Path) -> Generator[HubServer]:
    """A running server; its large files lie in `folder`."""
    server = HubServer(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
