"""report.html: what a release is, how it was checked, and what is not known of it, on one page.

page.py     the page of it all         checks.py  what is checked here, and what it came to
yields.py   from problems to rows      shards.py  every file, and which stand out
spreads.py  distributions and groups   evidence.py  verdicts, steps, duplicates, lineage
sample.py   some rows in full          charts.py  static SVG
texts.py    texts that nobody vouches for, and how numbers are written

One file that asks for nothing: no script is needed to read it, and none but its own may run.
"""

from tracefactory.report.page import report
from tracefactory.report.sample import Sample, choose

__all__ = ["Sample", "choose", "report"]
