"""Which nodes hang together, by edges: labels by hooking and jumping, in a few rounds of numpy.

The label is the least node, so it depends on no order of the edges. Holds 8 bytes a node and 16 an
edge.
"""

import numpy as np

from tracefactory.nearness.tokens import I64, U64


def components(left: U64, right: U64) -> tuple[U64, U64]:
    """(node, label) of all nodes that have an edge, sorted by node; the label is the least node."""
    nodes = np.unique(np.concatenate([left, right]))
    labels = labelled(np.searchsorted(nodes, left), np.searchsorted(nodes, right), len(nodes))
    return nodes, nodes[labels]


def labelled(left: I64, right: I64, n: int) -> I64:
    """The least number that each of n nodes hangs together with."""
    parent = np.arange(n)
    while len(left):
        a, b = parent[left], parent[right]
        low, high = np.minimum(a, b), np.maximum(a, b)
        open_ = low != high
        left, right, low, high = left[open_], right[open_], low[open_], high[open_]
        np.minimum.at(parent, high, low)
        while True:
            up = parent[parent]
            if np.array_equal(up, parent):
                break
            parent = up
    return parent
