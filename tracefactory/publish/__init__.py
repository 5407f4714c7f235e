"""From rows of a run to a dataset on disk.

rows.py   the rows of one shard, joined from problems, attempts, verdicts and decisions
views/    what each view makes of them, one file each
stats.py  figures of a shard's rows, mergeable
release.py  file names, manifest, card, checksums: the release of all shards
licences.py      whether the rows' licences go together
llamafactory.py  dataset_info.json
card.py   the README of the dataset, from the manifest alone
"""
