"""From rows of a run to a dataset on disk.

rows.py   the views of one shard, joined from problems, attempts, verdicts and decisions
stats.py  figures of a shard's rows, mergeable
release.py  file names, manifest, card, checksums: the release of all shards
card.py   the README of the dataset, from the manifest alone
"""
