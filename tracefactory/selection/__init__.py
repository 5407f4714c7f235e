"""What the stage `select` goes by: one file a kind of rule.

rules.py     difficulty, traces a problem, weights: what a group of chunks can decide by itself
choosing.py  which few of some traces of one problem
budget.py    how far all rows together reach
"""
