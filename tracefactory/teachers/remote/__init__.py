"""Teachers behind HTTP: one client for whatever speaks OpenAI's language.

settings.py  what recipes say of them
wire.py      requests into bodies, answers into completions; thinking.py, prompts.py, prices.py
endpoint.py  all requests of this process to one server; pace.py says how many at once
faults.py    what a failed try means
channel.py   bytes there and back
manner.py    what a teacher must know to use an endpoint
loop.py      the event loop that all of it runs in
"""
