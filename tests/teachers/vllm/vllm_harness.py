"""What tests of real vLLM look at: its own account of requests, its processes, what it leaves."""

from collections import Counter
from pathlib import Path

from tracefactory.teachers.engine import warden


class Counted:
    """What the server was asked and has answered, by its own account."""

    def __init__(self, path):
        self.path = path
        self.env = {
            "COUNTING_FILE": str(path),
            "PYTHONPATH": str(Path(__file__).parent),
        }

    def lines(self):
        return [line.split() for line in self.path.read_text().splitlines()]

    def times(self, what):
        return Counter(digest for word, digest in self.lines() if word == what)

    def n_answered(self):
        return len(self.times("answered")) if self.path.exists() else 0

    def asked_after_it_was_answered(self, since=0):
        answered, again = set(), []
        for word, digest in self.lines()[since:]:
            if word == "answered":
                answered.add(digest)
            elif digest in answered:
                again.append(digest)
        return again


def names_below(pid):
    """Processes of vLLM below one of ours, by what they are."""
    found = {}
    for below in warden.descendants(pid):
        try:
            line = Path(f"/proc/{below}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        for name, sign in (
            ("api", "-m vllm.entrypoints"),
            ("core", "VLLM::EngineCor"),
            ("worker", "VLLM::Worker"),
        ):
            if sign in line and "warden.py" not in line:
                found[name] = below
    return found


def held(pid):
    """Files of the servers below one of our processes: what would be left if nobody looked."""
    below = warden.descendants(pid)
    found = {Path("/dev/shm", name) for name in warden.mapped(below) if name.startswith("psm_")}
    for one in below:
        try:
            words = Path(f"/proc/{one}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "--uds" in words:  # FOLDER/number/socket
            found.add(Path(words[words.index("--uds") + 1]).parents[1])
    return found
