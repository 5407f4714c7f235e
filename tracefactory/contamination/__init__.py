"""Does a row hold a benchmark's item? Runs of tokens that both have, and how much of the item.

known.py      public benchmarks by name: where on the Hub, which column
settings.py   what a recipe says of a benchmark
items.py      a benchmark's rows as items
grams.py      runs of n tokens as 64-bit hashes
index.py      the items of all benchmarks as sorted hashes: made once, on disk
search.py     rows against one set of hashes: which items, how much of each
verdicts.py   rows against the index: contaminated, suspect, or neither
semantic.py   the nearest item by a small model of words, as a figure only

Not here: tokens (nearness/tokens.py), what is dropped and where that is noted (stages/).
"""
