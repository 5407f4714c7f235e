"""Running programs that nobody trusts.

Read box.py (one run), walls.py (what holds it), ladder.py (which walls hold here), execution.py
(the three ways of using a program).
"""
