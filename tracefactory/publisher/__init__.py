"""Send a release to the Hub or to a store, next to what is there already.

local.py      the release that is to be sent, as it lies in a folder
head.py       the release that is there now
rows.py       what a row is, by its hash
settle.py     which shards stay, which are written again, which are new
deal.py       writes those
publish.py    the road from one end to the other
hub.py        the Hub                      files.py      anything that fsspec reaches
retry.py      what is tried again          watchdog.py   what hangs is not waited for
scratch.py    temporary folders            disk.py        refusals of this machine, in words
"""
