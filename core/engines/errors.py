"""What can go wrong with an engine: one sentence each, without its address, its key, or what it was sent."""

SENTENCES = {
    "address": "an engine's address looks like http://host:8000, without a name or password in it",
    "unreachable": "the engine cannot be reached",
    "timeout": "the engine did not answer within {seconds:g} seconds",
    "refused": "the engine refused the request with HTTP status {status}",
    "unreadable": "the engine's answer cannot be read",
    "too_long": "the engine's answer is longer than {megabytes:g} MB",
    "no_logprobs": "the engine gives no log-probabilities",
    "no_scores": "the engine cannot score this text: it neither returns log-probabilities of what it is sent nor names the text's tokens",
    "too_many": "the engine scores a text token by token, and this one has {n} tokens where {most} is the most",
    "empty": "an engine needs a text to go on from",
}


class EngineError(RuntimeError):
    """`kind` is a key of SENTENCES, `values` are the numbers in its sentence."""

    def __init__(self, kind: str, **values: float):
        super().__init__(SENTENCES[kind].format(**values))
        self.kind, self.values = kind, values
