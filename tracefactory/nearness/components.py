"""Which nodes hang together, by edges: labels by hooking and jumping, in a few rounds of numpy.

The label is the least node, so it depends on no order of the edges. Edges may come in portions:
what is held are 8 bytes a node, twice that while labels jump, and 32 bytes an edge of a portion.
"""

import numpy as np

from tracefactory.nearness.tokens import I64


def joined(labels: I64, left: I64, right: I64) -> I64:
    """Labels of nodes 0 to n - 1 once these edges are there, too; `labels` is used up.

    Without any edge each node has its own number: np.arange(n).
    """
    while len(left):
        a, b = labels[left], labels[right]
        low, high = np.minimum(a, b), np.maximum(a, b)
        open_ = low != high
        left, right, low, high = left[open_], right[open_], low[open_], high[open_]
        np.minimum.at(labels, high, low)
        while True:
            up = labels[labels]
            if np.array_equal(up, labels):
                break
            labels = up
    return labels
