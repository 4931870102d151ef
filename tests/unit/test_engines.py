"""An engine over HTTP: recorded exchanges with two real servers (tests/engine_server.py says how), and everything that goes wrong."""

import json
import logging
import math
import socket
import time

import pytest
import torch

from core.decoding import search_steps
from core.engines import EngineError, beam_steps, client, connect, from_environment, next_token, perplexity, scoring, write
from core.engines.__main__ import main
from core.engines.answers import tokens
from tests.engine_server import DATA, FACT, PROMPTS, replay, served

SERVERS = ["engine_llama_cpp_python", "engine_llama_server"]
KEY = "sk-not-to-be-seen"


@pytest.fixture(params=SERVERS)
def engine(request):
    with replay(request.param) as url:
        yield connect(url)


# --- recorded exchanges ---


def test_the_next_token(engine):
    found = next_token(engine, FACT)
    assert engine.name == "smollm2-135m" and found.tokens[0] == " Paris" and len(found.tokens) == len(found.shares) == 12
    assert list(found.shares) == sorted(found.shares, reverse=True) and 0.7 < found.shares[0] < 0.85
    assert found.rest == pytest.approx(1 - sum(found.shares)) and found.rest > 0


def test_writing_comes_token_by_token_with_the_models_own_logprobs(engine):
    steps = list(write(engine, FACT, 12, temperature=0.0))
    assert len(steps) == 12 and "".join(step.text for step in steps).startswith(" Paris.")
    assert math.exp(steps[0].logprob) == pytest.approx(next_token(engine, FACT).shares[0], abs=1e-4)
    sampled = list(write(engine, PROMPTS["next_token"], 40, temperature=1.0))
    assert 30 <= len(sampled) <= 40 and all(token.logprob <= 0 for token in sampled)
    assert any(token.text != token.top[0][0] for token in sampled)  # drawn, not the likeliest each time


def test_perplexity_of_servers_that_echo_wrongly_or_not_at_all(engine):
    """One of the two returns the log-probability of every token one place late, the other none: both are scored token by token."""
    done = []
    found = perplexity(engine, f"{FACT} Paris.", lambda n, of: done.append((n, of)))
    assert found.tokens == ("The", " capital", " of", " France", " is", " Paris", ".") and found.requests == 6
    assert done == [(n, 6) for n in range(1, 7)]
    assert found.measured.nll[4] == pytest.approx(-torch.tensor(next_token(engine, FACT).shares[0]).log(), abs=0.05)  # " Paris"
    assert found.measured.nll[0] > 10  # nothing speaks for " capital" after "The" alone


def test_what_one_server_echoes_belongs_to_the_place_behind():
    """The reason for the check: the likeliest token that it states at "is" is Paris, which comes after it."""
    exchange = json.loads((DATA / "engine_llama_cpp_python.json").read_text("utf-8"))["exchange"]
    echoed = next(e for e in exchange if e["body"] and e["body"].get("echo"))
    found = tokens(json.loads(echoed["answer"]))
    assert [token.text for token in found][:6] == ["The", " capital", " of", " France", " is", " Paris"]
    assert found[4].top[0][0] == " Paris" and found[3].top[0][0] == " is"


def test_beam_search_keeps_the_best_texts(engine):
    *_, (search, tree) = beam_steps(engine, FACT, 2, 4)
    assert len(tree.hypotheses) == 2 and search.requests == tree.forward_passes == 1 + 3 * 2
    for found in tree.hypotheses:
        assert found.logprob == pytest.approx(sum(tree.nodes[i].logprob for i in tree.branch(found.node)))
        assert search.text(found.ids).startswith(" Paris")
    assert tree.hypotheses[0].score >= tree.hypotheses[1].score


def test_the_commands(engine, capsys):
    at = ["--url", engine.url + "/v1/"]
    assert main(["next", *at, FACT]) == 0 and "' Paris'" in capsys.readouterr().out
    assert main(["write", *at, "-n", "12", "--temperature", "0", FACT]) == 0 and capsys.readouterr().out.startswith(" Paris.")
    assert main(["perplexity", *at, f"{FACT} Paris."]) == 0 and "over 6 tokens, 6 requests" in capsys.readouterr().out
    assert main(["beam", *at, "--width", "2", "-n", "4", FACT]) == 0 and "7 requests" in capsys.readouterr().out
    assert main(["next", *at, "never recorded"]) == 1
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == "the engine refused the request with HTTP status 418" and "Traceback" not in told.err


# --- what goes wrong ---


def one(text="x", logprob=-1.0, top=None, **more):
    lists = {"tokens": [text], "token_logprobs": [logprob], "top_logprobs": [top if top is not None else {text: logprob}]} | more
    return {"choices": [{"text": text, "logprobs": lists, "finish_reason": "length"}]}


@pytest.mark.parametrize("answer, kind", [
    ((503, "{}"), "refused"), ((301, "{}"), "refused"), ((200, "<html>"), "unreadable"), ((200, "[1]"), "unreadable"), ((200, "{}"), "unreadable"),
    ((200, '{"choices": []}'), "unreadable"), ((200, "[" * 100_000), "unreadable"), ((200, json.dumps(one(logprob="-1"))), "unreadable"),
    ((200, json.dumps(one(logprob=float("nan")))), "unreadable"), ((200, json.dumps(one(logprob=3.0))), "unreadable"),
    ((200, json.dumps(one(logprob=True))), "unreadable"), ((200, json.dumps(one(token_logprobs=[]))), "unreadable"),
    ((200, json.dumps(one(text=5))), "unreadable"), ((200, json.dumps(one(top={}))), "no_logprobs"),
    ((200, '{"choices": [{"text": "x", "logprobs": null}]}'), "no_logprobs"), ((200, " " * (client.MOST_BYTES + 1)), "too_long"),
])  # fmt: skip
def test_bad_answers_are_one_sentence(answer, kind):
    with served(lambda *_: answer) as url, pytest.raises(EngineError) as error:
        next_token(connect(url, "m"), "a text")
    assert error.value.kind == kind and str(error.value).count("\n") == 0 and "127.0.0.1" not in str(error.value) and "a text" not in str(error.value)


@pytest.mark.parametrize("url", ["", "foo", "ftp://x", "http://", "http://user:secret@host", "http://host:99999999", "http://h?key=1", "http://[::1"])
def test_addresses_are_checked_and_not_repeated(url):
    with pytest.raises(EngineError) as error:
        connect(url, "m")
    assert error.value.kind == "address" and "secret" not in str(error.value)


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(EngineError) as error:
            connect(url)
    assert error.value.kind == "unreachable"


def drip(pause, n):
    def answer(method, path, body, handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(n):
                handler.wfile.write(b" ")
                time.sleep(pause)
        except OSError:
            pass

    return answer


@pytest.mark.parametrize("pause, n", [(1.0, 1), (0.05, 100)])
def test_a_server_that_says_nothing_or_drips_is_left(pause, n):
    with served(drip(pause, n)) as url, pytest.raises(EngineError) as error:
        next_token(connect(url, "m", timeout=0.2), "x")
    assert error.value.kind == "timeout"


def test_a_connection_that_breaks_in_the_middle():
    def answer(method, path, body, handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"choices"')

    with served(answer) as url, pytest.raises(EngineError) as error:
        next_token(connect(url, "m"), "x")
    assert error.value.kind == "unreadable"


def test_a_stream_that_is_left_hangs_up():
    sent, gone = [], []

    def answer(method, path, body, handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for i in range(2000):
                handler.wfile.write(b"data: " + json.dumps(one(str(i))).encode() + b"\n\n")
                sent.append(i)
                time.sleep(0.002)
        except OSError:
            gone.append(True)

    with served(answer) as url:
        steps = write(connect(url, "m"), "x", 2000)
        assert [next(steps).text for _ in range(3)] == ["0", "1", "2"]
        steps.close()
        end = time.monotonic() + 10
        while not gone and time.monotonic() < end:
            time.sleep(0.01)
    assert gone and len(sent) < 2000


def test_the_key_is_sent_and_never_shown(caplog):
    caplog.set_level(logging.DEBUG)
    seen = []

    def answer(method, path, body, handler):
        seen.append(handler.headers["Authorization"])
        return 401, KEY

    with served(answer) as url:
        engine = connect(url, "m", KEY)
        with pytest.raises(EngineError) as error:
            next_token(engine, "x")
        broken = connect(url, "m", KEY + "\n")
        with pytest.raises(EngineError) as bad:
            next_token(broken, "x")
    assert seen == [f"Bearer {KEY}"] and error.value.values == {"status": 401}
    shown = f"{engine!r} {error.value!r} {error.value} {bad.value} {bad.value.__cause__} {caplog.text}"
    assert KEY not in shown and bad.value.kind == "unreadable"


def test_a_key_follows_no_redirect():
    asked = []
    with served(lambda *call: asked.append(call) or (200, "{}")) as elsewhere:

        def answer(method, path, body, handler):
            handler.send_response(302)
            handler.send_header("Location", elsewhere)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with served(answer) as url, pytest.raises(EngineError):
            next_token(connect(url, "m", KEY), "x")
    assert not asked


def test_the_environment_names_it_or_not():
    assert from_environment({}) is None and from_environment({"GLASSBOX_ENGINE_URL": " "}) is None
    named = {"GLASSBOX_ENGINE_URL": "https://host:8443/v1/", "GLASSBOX_ENGINE_MODEL": "/srv/models/large.gguf", "GLASSBOX_ENGINE_KEY": KEY}
    engine = from_environment(named)
    assert (engine.url, engine.key, engine.name) == ("https://host:8443", KEY, "large.gguf")


def test_texts_that_cannot_be_scored():
    """No echo and no names of tokens; too many tokens; a part of a character; a server that knows no bias; one whose numbers the bias made."""
    listed = {"tokens": [{"id": 1, "piece": "a"}, {"id": 2, "piece": "b"}]}

    def kind(names, completion, text="ab"):
        def answer(method, path, body, _):
            if path == "/tokenize":
                return (200, json.dumps(names)) if names else (404, "{}")
            return (400, "{}") if path != "/v1/completions" or body.get("echo") else (200, json.dumps(completion))

        with served(answer) as url, pytest.raises(EngineError) as error:
            perplexity(connect(url, "m"), text)
        return error.value.kind

    assert kind(None, one()) == "no_scores"
    assert kind({"tokens": listed["tokens"] * scoring.MOST_TOKENS}, one("b")) == "too_many"
    assert kind({"tokens": [listed["tokens"][0], {"id": 3, "piece": [240, 159]}]}, one("b")) == "no_scores"
    assert kind(listed, one("z")) == "no_scores" and kind(listed, one("b", 0.0)) == "no_scores"
    assert kind(listed, one("b") | {"usage": {"prompt_tokens": 7}}) == "no_scores"  # the beginning is cut otherwise
    assert kind({"tokens": listed["tokens"][:1]}, one("b"), "a") == "empty"
    with pytest.raises(EngineError, match="needs a text"):
        next_token(client.Engine("http://127.0.0.1:1", "m"), "")


def test_the_search_itself_by_hand():
    """Two beginnings, three words: the best pair starts with the second-best word; -inf is never taken."""
    first = torch.tensor([[0.6, 0.4]]).log(), torch.tensor([[0, 1]])
    after = {0: [0.4, 0.35], 1: [0.9, 0.0]}

    def go_on(step, rows, tokens):
        return torch.tensor([after[token] for token in tokens]).log(), torch.tensor([[0, 2]] * len(tokens))

    *_, tree = search_steps(first, go_on, 2, 2, 1.0, ())
    assert [h.ids for h in tree.hypotheses] == [(1, 0), (0, 0)]
    assert tree.hypotheses[0].logprob == pytest.approx(torch.tensor(0.36).log().item()) and tree.forward_passes == 3
    assert all(node.logprob > -torch.inf for node in tree.nodes)
