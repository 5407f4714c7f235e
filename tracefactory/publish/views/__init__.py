"""The views of a dataset, one file each: from joined rows to the columns of schemas/traces.py.

A view only shapes rows. Who was dropped and why was decided before (publish/rows.py).
"""
