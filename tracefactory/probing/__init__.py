"""Does the reasoning of a trace decide its answer? What is done to a trace to find out.

alter.py     one step gets another value
truncate.py  the reasoning is left out
rate.py      what came of it, as a share with its interval
"""
