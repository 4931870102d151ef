"""The tokens of the tiny model: every word, sign, tag and number from 0 to 199 is one."""

from core.rl.problems import MOST_NUMBER, OPERATIONS, QUESTIONS, WORDS

FILL, END = "·", "<end>"  # stands before short questions; ends an answer
THINK, THOUGHT, ANSWER, ANSWERED = "<think>", "</think>", "<answer>", "</answer>"
SAID = {"en": "that is", "de": "das ist"}  # how people answer who were not asked for a format

_asked = sorted({w for questions in QUESTIONS.values() for q in questions for w in q.replace("{}", "").split()} - set("?."))
_named = sorted({word for words in WORDS.values() for word in words.values()})
TOKENS = (FILL, END, THINK, THOUGHT, ANSWER, ANSWERED, *OPERATIONS, "=", ";", "?", ".", *_asked, *_named, "that", "das",
          *map(str, range(MOST_NUMBER + 1)))  # fmt: skip
ID = {token: i for i, token in enumerate(TOKENS)}
PROMPT = 9  # tokens of a question, fill included: "bitte berechne 7 minus 3 mal 2 ."
MOST_ANSWER = 17  # tokens of the longest answer: tags, two steps, the answer, the end


def encode(text: str) -> list[int]:
    """Ids of words between spaces; KeyError for a word that is no token."""
    return [ID[word] for word in text.split()]


def prompt_ids(question: str) -> list[int]:
    """A question as exactly PROMPT ids: short ones begin with fill, so that a batch needs no mask."""
    ids = encode(question)
    if len(ids) > PROMPT:
        raise ValueError(f"a question has at most {PROMPT} tokens, got {len(ids)}")
    return [ID[FILL]] * (PROMPT - len(ids)) + ids


def words_of(ids) -> str:
    """All words up to the end, the end included: what is checked and paid."""
    words = [TOKENS[int(i)] for i in ids]
    return " ".join(words[: words.index(END) + 1] if END in words else words)
