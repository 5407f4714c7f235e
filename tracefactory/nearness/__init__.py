"""How near two texts are: tokens that keep numbers and signs, shingles, signatures, exact Jaccard.

Read tokens.py first. Everything here is numpy over Arrow buffers; with numba (the extra `fast`)
the two loops that cost the time are compiled, and give the same integers.

Not here: what is dropped and why (stages/dedupe.py), benchmarks (contamination/).
"""
