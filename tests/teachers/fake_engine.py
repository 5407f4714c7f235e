"""A server that lives and dies like vLLM's, in no time: python fake_engine.py SOCKET NOTES FATE...

Each life takes its own fate from the list, the last one for ever. NOTES gets a line an answer.

    well      answers
    die:N     ends with exit code 0 after N answers
    hang:N    stops answering after N, and its figures stand still
    refuse    ends at once, with words
    mute      never listens
"""

import asyncio
import os
import sys
from pathlib import Path

from aiohttp import web

socket, notes, *fates = sys.argv[1:]
lives = Path(notes).with_suffix(".lives")
with lives.open("a") as file:
    file.write(f"{os.getpid()}\n")
life = len(lives.read_text().splitlines())
fate, _, number = fates[min(life, len(fates)) - 1].partition(":")
limit = int(number or 1 << 60)
begun = answered = running = 0


async def chat(request):
    global begun, answered, running
    body = await request.json()
    running += 1
    begun += 1
    if begun > limit:
        if fate == "die":
            await asyncio.sleep(0.05)  # the last answer is on its way
            os._exit(0)
        await asyncio.sleep(3600)
    await asyncio.sleep(0.002)
    running -= 1
    answered += 1
    with Path(notes).open("a") as file:
        file.write(f"{body['seed']}\n")
    message = {"role": "assistant", "content": "\\boxed{1}"}
    return web.json_response({
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    })  # fmt: skip


async def metrics(request):
    return web.Response(
        text=f"vllm:num_requests_running {running}\nvllm:num_requests_waiting 0\n"
        f"vllm:prompt_tokens_total {answered}\nvllm:generation_tokens_total {answered}\n"
    )


async def health(request):
    return web.Response()


if fate == "refuse":
    sys.exit("ValueError: there is no such option")
if fate == "mute":
    while True:
        asyncio.run(asyncio.sleep(60))
app = web.Application()
app.add_routes([
    web.get("/health", health),
    web.get("/metrics", metrics),
    web.post("/v1/chat/completions", chat),
])  # fmt: skip
web.run_app(app, path=socket, print=None, handle_signals=False)
