"""The disk steps of `dedupe: {level: near}`: each reads receipts' outputs and leaves tables.

    compared   rows of a group of chunks: content, order, bands               (compared.py)
    met        who has the same content; who shares a band                    (meeting.py)
    parts      which contents hang together                                   (meeting.py)
    brought    the shingles of those contents, to where they are compared     (compared.py)
    kept       the walk: who goes, for whom                                   (keeping.py)
    shared     all of that as decisions of each group of chunks               (sharing.py)

once for problems, then the same for traces. What was published before comes in as rows that
outrank all others (published.py), by the index of their release (index.py, releases.py). Which
stage asks for what, and when: stages/dedupe.py.
"""
