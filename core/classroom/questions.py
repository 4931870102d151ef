"""Questions for a class, each with the answer that is right and what the model thinks of every choice."""

import random

import torch

from core.classroom.store import Question
from core.decoding import distribution, generate

MOST_TOKENS = 200  # tokens of a question's text
MOST_WORD = 40  # signs of a word that a student types
TEMPERATURES = (0.2, 0.8, 1.6)
WRITTEN = 40  # tokens that a temperature writes


def next_token(lm, text: str, seed: int) -> Question:
    """The last word of `text` is hidden; its first token is right. Choices: the model's likeliest, and rare ones.

    `shares` are the model's probabilities of the choices after the text, over its whole vocabulary.
    Raises ValueError for fewer than two words.
    """
    stem, last = _hide_last(text)
    ids = lm.tokenizer.encode(stem)[-MOST_TOKENS:]
    truth = lm.tokenizer.encode(f" {last}")[0]
    probs = distribution(lm.logits(ids)[-1])
    order = probs.topk(min(200, len(probs))).indices.tolist()
    rng = random.Random(seed)
    others = [token for token in order if token != truth]
    found = {lm.tokenizer.label(truth): truth}
    for token in [*others[:4], *rng.sample(others[20:], 4)]:
        if len(found) < 6:
            found.setdefault(lm.tokenizer.label(token), token)
    labels = list(found)
    rng.shuffle(labels)
    shares = tuple(float(probs[found[label]]) for label in labels)
    right = labels.index(lm.tokenizer.label(truth))
    return Question("next_token", lm.tokenizer.decode(ids), tuple(labels), right, shares, other=True)


def choice_of(lm, question: Question, word: str) -> int:
    """The choice that a typed word stands for: the one whose token it begins with, else the one after the last."""
    word = word.strip()
    if not word or len(word) > MOST_WORD:
        raise ValueError(f"a word has 1 to {MOST_WORD} characters, got {len(word)}")
    label = lm.tokenizer.label(lm.tokenizer.encode(f" {word}")[0])
    return question.choices.index(label) if label in question.choices else len(question.choices)


def temperature(lm, text: str, seed: int) -> Question:
    """One of TEMPERATURES, drawn with `seed`, goes on with `text`; which one was it?

    `shares` are Bayes' rule with equal chances before: p(T | text) is proportional to the product of the
    probabilities that T gives the written tokens. Raises ValueError for an empty text.
    """
    if not text.strip():
        raise ValueError("the text is empty")
    rng = random.Random(seed)
    truth = rng.randrange(len(TEMPERATURES))
    start = lm.tokenizer.encode(text.strip())[-MOST_TOKENS:]
    steps = generate(lm, start, WRITTEN, temperature=TEMPERATURES[truth], seed=rng.randrange(10_000))
    ids = [*start, *(step.token for step in steps)]
    logits, written = lm.logits(ids)[len(start) - 1 : -1], torch.tensor(ids[len(start) :])[:, None]
    fits = [distribution(logits, T).double().gather(-1, written).log().sum() for T in TEMPERATURES]
    shares = torch.stack(fits).softmax(0).tolist()
    shown = lm.tokenizer.decode([token for token in ids if token != lm.tokenizer.eot])
    return Question("temperature", shown, tuple(map(str, TEMPERATURES)), truth, tuple(shares))


def window(lm, text: str, seed: int) -> Question:
    """A model that reads only the last half of the tokens: which of four can it no longer see?

    There is nothing to estimate, so `shares` is empty. Raises ValueError where the text is too short or
    says the same all over.
    """
    ids = lm.tokenizer.encode(text.strip())[-MOST_TOKENS:]
    labels = [lm.tokenizer.label(token) for token in ids]
    size = len(ids) // 2
    seen = list(dict.fromkeys(labels[-size:])) if size else []
    lost = [label for label in labels[: len(ids) - size] if label not in seen and label.strip("· ").isalpha()]
    words = [label for label in seen if label.strip("· ").isalpha()]
    if not lost or len(words) < 3:
        raise ValueError("the text is too short for a window")
    rng = random.Random(seed)
    choices = [lost[-1], words[0], *rng.sample(words[1:], 2)]
    rng.shuffle(choices)
    return Question("window", f"{lm.tokenizer.decode(ids)}\n\n{size} / {len(ids)}", tuple(choices), choices.index(lost[-1]))


MAKERS = {"next_token": next_token, "temperature": temperature, "window": window}


def _hide_last(text: str) -> tuple[str, str]:
    parts = text.strip().rsplit(None, 1)
    if len(parts) < 2:
        raise ValueError("a text of two words or more is needed")
    return parts[0], parts[1]
