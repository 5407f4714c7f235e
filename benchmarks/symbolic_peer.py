"""The side of Math-Verify in benchmarks/symbolic.py: runs in its environment, one pair a line.

In: {"reference": ..., "response": ...} or {"clear": true}. Out: {"accepts": ..., "seconds": ...,
"timed_out": ..., "unparsed": ...}. Timed are parsing the reference, parsing the response and
verifying, with all settings and time limits as they come.

Not here: pairs, labels, tables (symbolic.py); anything of this project.
"""

import json
import logging
import sys
import time

from math_verify import parse, verify
from sympy.core.cache import clear_cache


class TimeOuts(logging.Handler):
    """Counts what Math-Verify logs about its time limits, the only sign of them it gives."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.seen += "Timeout during" in record.getMessage()


def main() -> None:
    time_outs = TimeOuts()
    logger = logging.getLogger("math_verify")
    logger.addHandler(time_outs)
    logger.propagate = False
    for line in sys.stdin:
        asked = json.loads(line)
        if "clear" in asked:
            clear_cache()
            print("{}", flush=True)
            continue
        before = time_outs.seen
        started = time.perf_counter()
        want = parse(asked["reference"])
        got = parse(asked["response"])
        accepts = verify(want, got)
        seconds = time.perf_counter() - started
        answer = {
            "accepts": bool(accepts),
            "seconds": seconds,
            "timed_out": time_outs.seen > before,
            "unparsed": not want or not got,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
