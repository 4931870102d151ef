"""python -m core.engines next | write | perplexity | beam --url http://127.0.0.1:8000 "The capital of France is"

The key, where the server wants one, is read from the environment variable GLASSBOX_ENGINE_KEY.
"""

import argparse
import math
import os
import sys

from core.engines import Engine, EngineError, beam_steps, connect, next_token, perplexity, write


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 if all is well. What went wrong is one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m core.engines", description="Ask a model on a server of its own (vLLM, llama.cpp).")
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("text")
    parser.add_argument("--url", default=os.environ.get("GLASSBOX_ENGINE_URL", ""), help="else GLASSBOX_ENGINE_URL")
    parser.add_argument("--model", default=os.environ.get("GLASSBOX_ENGINE_MODEL", ""), help="the first one of the server if left out")
    parser.add_argument("-k", type=int, default=12, help="next: candidates")
    parser.add_argument("-n", type=int, default=40, help="write, beam: new tokens at most")
    parser.add_argument("--temperature", type=float, default=1.0, help="write")
    parser.add_argument("--top-p", type=float, default=1.0, help="write")
    parser.add_argument("--seed", type=int, default=0, help="write")
    parser.add_argument("--width", type=int, default=4, help="beam")
    asked = parser.parse_args(argv)
    try:
        engine = connect(asked.url, asked.model, os.environ.get("GLASSBOX_ENGINE_KEY", ""))
        print(f"# {engine.name}", file=sys.stderr)
        _COMMANDS[asked.command](engine, asked)
    except (EngineError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _next(engine: Engine, asked) -> None:
    found = next_token(engine, asked.text, asked.k)
    for token, share in zip(found.tokens, found.shares):
        print(f"{share:8.3%}  {token!r}")
    print(f"{found.rest:8.3%}  all others")


def _write(engine: Engine, asked) -> None:
    for token in write(engine, asked.text, asked.n, asked.temperature, asked.top_p, asked.seed):
        print(token.text, end="", flush=True)
    print()


def _perplexity(engine: Engine, asked) -> None:
    found = perplexity(engine, asked.text)
    for token, bits in zip(found.tokens[1:], found.measured.bits.tolist()):
        print(f"{bits:6.2f} bits  {token!r}")
    print(f"perplexity {found.measured.perplexity:.2f} over {len(found.tokens) - 1} tokens, {found.requests} requests")


def _beam(engine: Engine, asked) -> None:
    for search, tree in beam_steps(engine, asked.text, asked.width, asked.n):  # noqa: B007
        pass
    for found in tree.hypotheses:
        print(f"{found.logprob:8.2f}  {math.exp(found.logprob):8.2%}  {search.text(found.ids)!r}")
    print(f"{search.requests} requests")


_COMMANDS = {"next": _next, "write": _write, "perplexity": _perplexity, "beam": _beam}

if __name__ == "__main__":
    sys.exit(main())
