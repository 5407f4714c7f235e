"""A real server of SandboxFusion's protocol, which runs what it is sent in a box of ours.

`faults` is what it does wrong, one entry a request: 500, "hang", "sandbox_error", "run_error",
"garbage", "half". `seen` is every request, for who wants to know what travelled.
"""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tracefactory.sandbox.box import Box
from tracefactory.sandbox.limits import Limits


class FusionServer(ThreadingHTTPServer):
    daemon_threads = False  # joined at the end: a late one would start a zygote nobody closes

    def __init__(self, pool):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pool, self.faults, self.seen = pool, [], []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def run(self, body):
        limits = Limits(wall_s=body["run_timeout"], memory_mb=body["memory_limit_MB"])
        with Box(self.pool, limits, body["stdin"].encode()) as box:
            box.send(
                {"job": "program", "program": SCRIPT, "entry_point": ""}
                | {"program": SCRIPT.format(code=json.dumps(body["code"]))}
            )
            ending = box.finish()
        late = ending.killed_for == "timeout_wall"
        code = -ending.signal if ending.exit_code is None else ending.exit_code
        return {
            "status": "Failed" if late or code else "Success",
            "message": "",
            "compile_result": None,
            "run_result": {
                "status": "TimeLimitExceeded" if late else "Finished",
                "execution_time": ending.wall_s,
                "return_code": None if late else code,
                "stdout": ending.stdout.decode("utf-8", "replace"),
                "stderr": ending.stderr.decode("utf-8", "replace"),
            },
            "executor_pod_name": None,
            "files": {},
        }


# A server runs a file, whose tracebacks the interpreter prints.
SCRIPT = """
import os, sys
with open("main.py", "w") as file:
    file.write({code})
if not (child := os.fork()):
    os.execv(sys.executable, [sys.executable, "-S", "-s", "main.py"])
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os._exit(status if status >= 0 else 128 - status)
"""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(body)
        fault = self.server.faults.pop(0) if self.server.faults else None
        code, answer = 200, None
        if self.path != "/run_code":
            code, answer = 404, b"no such place"
        elif fault == 500:
            code, answer = 500, b"Internal Server Error"
        elif fault == "garbage":
            answer = b"<html>a proxy's own page</html>"
        elif fault == "half":
            answer = b'{"status": "Success", "run_result": {"status": "Finished"}}'
        elif fault == "sandbox_error":
            answer = b'{"status": "SandboxError", "message": "no worker", "run_result": null}'
        elif fault == "run_error":
            answer = (b'{"status": "Failed", "message": "", "run_result": {"status": "Error", '
                      b'"return_code": null, "stdout": "", "stderr": "boom"}}')  # fmt: skip
        elif fault == "hang":
            time.sleep(3)
        with contextlib.suppress(OSError):
            answer = json.dumps(self.server.run(body)).encode() if answer is None else answer
            self.send_response(code)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(pool):
    with FusionServer(pool) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
