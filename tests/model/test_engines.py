"""An engine's answers against our own core: over a server in front of our own model exactly, over real servers within their rounding.

The real servers are llama-cpp-python's (where this Python has `llama_cpp.server`, or GLASSBOX_LLAMA_PYTHON names one that has)
and llama.cpp's own (where GLASSBOX_LLAMA_SERVER names the program, or it is on the path); a recorded exchange stands in for each
that is missing. Both round activations to 8 bits between the 4-bit blocks, our core does not: hence the tolerances.
"""

import importlib.util
import math
import os
import shutil
import socket
import subprocess
import sys

import pytest
import torch

from core.decoding import beam_search, distribution
from core.engines import EngineError, beam_steps, connect, next_token, perplexity, write
from core.measure import perplexity as own_perplexity
from tests.engine_server import FACT, PROMPTS, our_own, replay

TEXT = PROMPTS["perplexity"]


# --- our own model behind the API: what has to be equal ---


@pytest.fixture(scope="module")
def ours(mini):
    with our_own(mini) as url:
        yield connect(url)


def test_the_next_token_is_the_same(mini, ours):
    found = next_token(ours, "Once upon a time", 10)
    best = distribution(mini.logits(mini.tokenizer.encode("Once upon a time"))[-1]).topk(10)
    assert ours.name == "ours" and list(found.tokens) == [mini.tokenizer.decode([int(i)]) for i in best.indices]
    torch.testing.assert_close(torch.tensor(found.shares), best.values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("text", [TEXT, "Der alte Mann öffnete die Tür.", "the the the the the the", "Once upon"])
def test_a_right_echo_is_taken_in_two_requests(mini, ours, text):
    found = perplexity(ours, text)
    torch.testing.assert_close(found.measured.nll, own_perplexity(mini, mini.tokenizer.encode(text)).nll, rtol=1e-4, atol=1e-4)
    assert found.requests == 2 and "".join(found.tokens) == text


def test_beam_search_is_the_same(mini, ours):
    ids = mini.tokenizer.encode("Once upon a time there was a king who had")
    *_, (search, tree) = beam_steps(ours, mini.tokenizer.decode(ids), 3, 6, 1.0)
    own = beam_search(mini, ids, 3, 6, 1.0)
    assert [search.text(h.ids) for h in tree.hypotheses] == [mini.tokenizer.decode(h.ids) for h in own.hypotheses]
    assert [h.logprob for h in tree.hypotheses] == pytest.approx([h.logprob for h in own.hypotheses], abs=1e-3)
    assert tree.forward_passes == own.forward_passes == search.requests


def test_a_server_that_knows_fewer_candidates_says_so(ours):
    with pytest.raises(EngineError, match="refused the request with HTTP status 400"):
        next_token(ours, "Once", 50)


# --- real servers, or what they said ---


def llama_cpp_python(model):
    python = os.environ.get("GLASSBOX_LLAMA_PYTHON") or (sys.executable if importlib.util.find_spec("llama_cpp") else None)
    return python and [python, "-m", "llama_cpp.server", "--model", model, "--model_alias", "smollm2-135m", "--logits_all", "true",
                       "--n_ctx", "512", "--n_threads", "1", "--host", "127.0.0.1", "--verbose", "false"]  # fmt: skip


def llama_server(model):
    program = os.environ.get("GLASSBOX_LLAMA_SERVER") or shutil.which("llama-server")
    return program and [program, "-m", model, "--alias", "smollm2-135m", "-c", "512", "-t", "1", "-np", "1", "--host", "127.0.0.1"]


@pytest.fixture(scope="module", params=["recorded llama_cpp_python", "recorded llama_server", "live llama_cpp_python", "live llama_server"])
def engine(request, smollm2_file, tmp_path_factory):
    way, name = request.param.split()
    if way == "recorded":
        with replay(f"engine_{name}") as url:
            yield connect(url)
        return
    command = globals()[name](str(smollm2_file))
    if not command:
        pytest.skip(f"no {name} here; its recorded exchange is tested above")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("engine") / "log"
    with open(log, "w") as out:
        server = subprocess.Popen([*command, "--port", str(port)], stdout=out, stderr=out)
    try:
        yield _connected(f"http://127.0.0.1:{port}", server, log)
    finally:
        server.kill()
        server.wait()


def _connected(url, server, log):
    from time import monotonic, sleep

    end = monotonic() + 120
    while True:
        try:
            return connect(url)
        except EngineError:
            assert server.poll() is None and monotonic() < end, log.read_text()[-2000:]
            sleep(0.3)


def test_real_next_token(smollm2, engine):
    """Every candidate within 3 points, the same first."""
    found = next_token(engine, FACT)
    shares = distribution(smollm2.logits(smollm2.tokenizer.encode(FACT))[-1])
    own = {word: float(shares[smollm2.tokenizer.encode(word)[0]]) for word in found.tokens}
    assert max(own, key=own.get) == found.tokens[0] == " Paris"
    assert max(abs(own[word] - share) for word, share in zip(found.tokens, found.shares)) < 0.03


def test_real_greedy_text(smollm2, engine):
    """Every token that it wrote greedily is our likeliest there, or within 0.5 nats of it, and as likely within 0.5 nats."""
    ids = smollm2.tokenizer.encode(FACT)
    written = list(write(engine, FACT, 12, temperature=0.0))
    assert len(written) == 12
    for token in written:
        (new,) = smollm2.tokenizer.encode(token.text)
        logprobs = smollm2.logits(ids)[-1].log_softmax(-1)
        assert logprobs[new] > logprobs.max() - 0.5 and token.logprob == pytest.approx(float(logprobs[new]), abs=0.5)
        ids.append(new)


@pytest.mark.parametrize("text", [f"{FACT} Paris.", TEXT])
def test_real_perplexity(smollm2, engine, text):
    """The same tokens; each surprise within 0.5 nats, the mean within 0.1."""
    found, ids = perplexity(engine, text), smollm2.tokenizer.encode(text)
    own = own_perplexity(smollm2, ids)
    assert [smollm2.tokenizer.decode([i]) for i in ids] == list(found.tokens) and found.requests == len(ids) - 1
    assert (found.measured.nll - own.nll).abs().max() < 0.5
    assert math.log(found.measured.perplexity) == pytest.approx(math.log(own.perplexity), abs=0.1)


def test_real_beam_search(smollm2, engine):
    """Every token in the tree is as likely as our core finds it after the same text, within 0.6 nats where it is not a rare one."""
    *_, (search, tree) = beam_steps(engine, PROMPTS["beam_search"], 3, 8)
    assert len(tree.hypotheses) == 3 and all(len(h.ids) == 8 for h in tree.hypotheses)
    known = {}
    for node in [node for node in tree.nodes if node.logprob > -3 and node.step <= 5]:
        before = PROMPTS["beam_search"] + search.text(tree.nodes[i].token for i in (tree.branch(node.parent) if node.parent is not None else []))
        if before not in known:
            known[before] = smollm2.logits(smollm2.tokenizer.encode(before))[-1].log_softmax(-1)
        new = smollm2.tokenizer.encode(search.label(node.token))[0]
        assert node.logprob == pytest.approx(float(known[before][new]), abs=0.6)
    assert len(known) > 8
