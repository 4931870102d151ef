"""Conversations as an instruct model read them in training. Base text stays the default everywhere."""

from collections.abc import Sequence

from core.models.language_model import LanguageModel

ROLES = ("system", "user", "assistant")


def can_chat(lm: LanguageModel) -> bool:
    """Whether the model was trained on a conversation format that `chat_prompt` writes."""
    return lm.card.get("chat") == "chatml" and {"<|im_start|>", "<|im_end|>"} <= getattr(lm.tokenizer, "special", {}).keys()


def chat_prompt(lm: LanguageModel, messages: Sequence[dict]) -> list[int]:
    """Token ids of a conversation, ending where the assistant's answer begins.

    messages: [{"role": "system" | "user" | "assistant", "content": text}, …]. The format is ChatML, as SmolLM2 and Qwen
    read it: <|im_start|>role ⏎ content <|im_end|> ⏎. If no system message comes first, the model's own is put there.
    The marks are special tokens; a text that contains them stays ordinary text. Raises ValueError for a model without
    that format and for an unknown role.
    """
    if not can_chat(lm):
        raise ValueError(f"{lm.name} was not trained on conversations in a known format")
    messages = list(messages)
    if lm.card.get("system") and (not messages or messages[0]["role"] != "system"):
        messages.insert(0, {"role": "system", "content": lm.card["system"]})
    start, end = (lm.tokenizer.special[mark] for mark in ("<|im_start|>", "<|im_end|>"))
    newline = lm.tokenizer.encode("\n")
    ids: list[int] = []
    for message in messages:
        if message["role"] not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, got {message['role']!r}")
        ids += [start, *lm.tokenizer.encode(f"{message['role']}\n{message['content']}"), end, *newline]
    return [*ids, start, *lm.tokenizer.encode("assistant\n")]
