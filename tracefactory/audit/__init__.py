"""Looking at what is published, or about to be, as somebody who believes nothing of it.

problems.py, inputs.py  are the references of problems any good? (`audit-problems`)

examine.py    a release: integrity, then every row judged again, then planted errors (`audit`)
integrity.py  records.py shard.py digests.py across.py statements.py remade.py signature.py
recheck.py    traces.py judging.py                   planted.py        foreign.py: Parquet of others
crew.py       jobs in worker processes that may die; place.py, inside.py: files of others
"""
