"""Look again at what a run stands on, and at what it made, without changing anything.

problems.py  do references hold? problems that contradict each other, or their teachers
inputs.py    where the problems come from: a run folder, or files that no run has read yet
"""
