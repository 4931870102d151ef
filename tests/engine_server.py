"""Servers for the tests of core.engines: one that replays a recorded exchange, one in front of our own model, and the recorder.

The exchanges in tests/data were recorded from real servers on loopback, both with SmolLM2-135M-Instruct in 4-bit blocks
(the file that `python -m core.checkpoints download smollm2-135m` fetches):

    python -m llama_cpp.server --model FILE --model_alias smollm2-135m --logits_all true --n_ctx 512 --port 8001    # llama-cpp-python 0.3.36
    llama-server -m FILE --alias smollm2-135m -c 512 --port 8002                                  # llama.cpp, the version inside it

    python -m tests.engine_server http://127.0.0.1:8001 tests/data/engine_llama_cpp_python.json
    python -m tests.engine_server http://127.0.0.1:8002 tests/data/engine_llama_server.json
"""

import json
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA = Path(__file__).parent / "data"
PROMPTS = {"next_token": "Once upon a time there was a", "perplexity": "The capital of Italy is Rome. The capital of France is Paris.", "beam_search": "Once upon a time there was a king who had"}
FACT = "The capital of France is"


@contextmanager
def served(answer):
    """The address of a server on loopback; `answer(method, path, body)` gives (status, text), or takes the handler over with None."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.reply()

        def do_POST(self):
            self.reply()

        def reply(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = answer(self.command, self.path, json.loads(raw) if raw else None, self)
            if found is None:
                return
            status, text = found
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def replay(name: str):
    """A server that knows the recorded questions and no others."""
    known = {}
    for entry in json.loads((DATA / f"{name}.json").read_text("utf-8"))["exchange"]:
        known[_question(entry["method"], entry["path"], entry["body"])] = (entry["status"], entry["answer"])
    return served(lambda method, path, body, _: known.get(_question(method, path, body), (418, "{}")))


def our_own(lm, k_most: int = 20):
    """The API's own form, `echo` included, written out here for our own model: what vLLM documents, which is too large for a test."""

    def row(logprobs, token, k):
        best = logprobs.topk(k)
        top = {lm.tokenizer.decode([int(i)]): float(p) for p, i in zip(*best)}
        return lm.tokenizer.decode([token]), float(logprobs[token]), top | {lm.tokenizer.decode([token]): float(logprobs[token])}

    def answer(method, path, body, _):
        if path == "/v1/models":
            return 200, json.dumps({"data": [{"id": "folder/ours"}]})
        if path != "/v1/completions" or body["logprobs"] > k_most:
            return 400, "{}"
        ids, k = lm.tokenizer.encode(body["prompt"]), body["logprobs"]
        logprobs = lm.logits(ids).log_softmax(-1)
        new = int(logprobs[-1].argmax())
        rows = [row(logprobs[-1], new, k)]
        if body.get("echo"):
            rows = [(lm.tokenizer.decode(ids[:1]), None, None), *(row(logprobs[i], ids[i + 1], k) for i in range(len(ids) - 1)), *rows]
        tokens, each, tops = zip(*rows)
        lists = {"tokens": tokens, "token_logprobs": each, "top_logprobs": tops, "text_offset": [0] * len(tokens)}
        return 200, json.dumps({"choices": [{"text": "".join(tokens), "logprobs": lists, "finish_reason": "length"}]})

    return served(answer)


def _question(method: str, path: str, body: dict | None) -> str:
    return json.dumps([method, path, body], sort_keys=True)


def record(url: str, target: Path) -> None:
    """Ask everything that the tests ask, through a server that writes down what passes."""
    from core.engines import beam_steps, connect, next_token, perplexity, write

    exchange = {}

    def passed_on(method, path, body, _):
        request = urllib.request.Request(url + path, json.dumps(body).encode() if body else None, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, "{}"  # what stands there may name folders
        exchange[_question(method, path, body)] = {"method": method, "path": path, "body": body, "status": status, "answer": _without_folders(text)}
        return status, text

    with served(passed_on) as recorder:
        engine = connect(recorder)
        for text in (FACT, PROMPTS["next_token"]):
            next_token(engine, text)
        list(write(engine, FACT, 12, temperature=0.0))
        list(write(engine, PROMPTS["next_token"], 40, temperature=1.0))
        for text in (f"{FACT} Paris.", PROMPTS["perplexity"]):
            perplexity(engine, text)
        list(beam_steps(engine, FACT, 2, 4))
        list(beam_steps(engine, PROMPTS["beam_search"], 3, 8))
    parts = [json.dumps(entry, ensure_ascii=False) for entry in exchange.values()]
    target.write_text('{"exchange": [\n' + ",\n".join(parts) + "\n]}\n", "utf-8")


def _without_folders(text: str) -> str:
    """The same answer, or answers, with the model's name alone where the server wrote its file's path."""

    def clean(part: str) -> str:
        found = json.loads(part)
        if "model" in found:
            found["model"] = "smollm2-135m"
        for name in ("models", "timings"):
            found.pop(name, None)
        return json.dumps(found, ensure_ascii=False)

    if text.startswith("data:"):
        lines = [line if "[DONE]" in line or not line.startswith("data:") else "data: " + clean(line[5:]) for line in text.splitlines()]
        return "\n".join(lines) + "\n"
    return clean(text) if text.startswith("{") else text


if __name__ == "__main__":
    record(sys.argv[1], Path(sys.argv[2]))
