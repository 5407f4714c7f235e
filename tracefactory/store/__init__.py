"""The run folder: the only truth, and the only room that renames files.

files.py   atomic writes, Parquet in and out, stale temporaries
log.py     append-only lines with a checksum: receipts, journals, events
lock.py    one live driver a folder
home.py    the folder itself: outputs, receipts, journals
commit.py  the move of a finished dataset into place
fsck.py    does the folder hold what its receipts say? what does nobody need?
"""
