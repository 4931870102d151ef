"""A model on a server of its own: an optional engine behind the OpenAI-compatible completions API, for models beyond one machine."""

from core.engines.client import Engine, connect, from_environment
from core.engines.errors import EngineError
from core.engines.questions import Next, Scored, Search, beam_steps, next_token, perplexity, write

__all__ = [
    "Engine", "EngineError", "Next", "Scored", "Search", "beam_steps", "connect", "from_environment", "next_token", "perplexity", "write",
]  # fmt: skip
