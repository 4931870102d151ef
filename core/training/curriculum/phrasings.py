"""Ways to say a fact: word order, and sentences that surround a statement or a question.

A statement is written in lower case with its verb between strokes, "die Hauptstadt von Italien /ist/ Rom", so that
the word orders follow: "Bekanntlich ist die Hauptstadt von Italien Rom", "Jeder weiß, dass ... Rom ist".
Without strokes only the plain order is used.

Fields of a frame: {S} the statement as a sentence, {s} the same inside one, {i} with the verb first, {d} with the verb
last (English: as {s}), {Q} the question as a sentence, {A} the short answer, {n} and {m} two persons, {t} a topic.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Clause:
    """A statement in three word orders; `inverted` and `last` are empty where the verb is not marked."""

    plain: str
    inverted: str = ""
    last: str = ""

    @property
    def sentence(self) -> str:
        return capital(self.plain)


def clause(text: str) -> Clause:
    """Read "subject /verb/ rest"."""
    before, mark, rest = text.partition(" /")
    if not mark:
        return Clause(text)
    verb, mark, after = rest.partition("/ ")
    if not mark:
        raise ValueError(f"verb without a closing stroke in {text!r}")
    return Clause(f"{before} {verb} {after}", f"{verb} {before} {after}", f"{before} {after} {verb}")


def capital(text: str) -> str:
    """The first letter in upper case, also behind an opening quotation mark."""
    at = 1 if text[0] in "„“‚‘" else 0
    return text[:at] + text[at].upper() + text[at + 1 :]


def frame_kinds(statement: Clause, asks: bool) -> list[str]:
    """Kinds of frames that fit, more often the plainer ones."""
    kinds = ["plain"] * 5 + ["lead"] * 2
    if statement.inverted:
        kinds += ["inverted", "that"]
    return kinds + ["question"] * 5 if asks else kinds


PEOPLE = {
    "de": "Lena Tom Mia Ben Lukas Sophie Felix Marie Finn Julia David Nina Moritz Clara Simon Eva".split(),
    "en": "Lucy Tom Mia Ben Luke Sophie Felix Mary Jack Julia David Nina Oliver Clara Simon Eve".split(),
}

FRAMES = {
    "de": {
        "plain": ("{S}.",),
        "lead": (
            "Merke: {S}.",
            "Jedes Kind weiß: {S}.",
            "Richtig ist: {S}.",
            "Im Lexikon steht: {S}.",
            "Wir lernen: {S}.",
            "Die Lehrerin sagt: {S}.",
            "Der Lehrer erklärt: {S}.",
            "Noch eine Tatsache: {S}.",
            "Schon gewusst? {S}.",
            "Eines ist sicher: {S}.",
            "Ein Beispiel: {S}.",
            "Zur Erinnerung: {S}.",
            "An der Tafel steht: {S}.",
            "Opa sagt: {S}.",
            "„{S}“, sagt {n}.",
            "{n} weiß: {S}.",
            "{n} liest vor: „{S}.“",
            "Stimmt das? {S}. Ja, das stimmt.",
            "Richtig oder falsch? {S}. Richtig.",
            "Ich weiß: {S}.",
            "Noch einmal: {S}.",
            "Das ist bekannt: {S}.",
            "Es gilt: {S}.",
            "Im Buch steht: {S}.",
            "{n} schreibt ins Heft: {S}.",
            "Eine einfache Tatsache: {S}.",
        ),
        "inverted": (
            "Bekanntlich {i}.",
            "Natürlich {i}.",
            "Übrigens {i}.",
            "Tatsächlich {i}.",
            "Wie jeder weiß, {i}.",
            "Wie es im Buch steht, {i}.",
            "Wie {n} sagt, {i}.",
            "Wie wir gelernt haben, {i}.",
            "Ganz sicher {i}.",
            "Wie man weiß, {i}.",
        ),
        "that": (
            "Jeder weiß, dass {d}.",
            "Es stimmt, dass {d}.",
            "Wir lernen, dass {d}.",
            "{n} sagt, dass {d}.",
            "Es ist bekannt, dass {d}.",
            "Im Buch steht, dass {d}.",
            "{n} erklärt {m}, dass {d}.",
        ),
        "question": (
            "{Q}? {S}.",
            "{Q}? {S}.",
            "{Q}? {S}.",
            "Frage: {Q}? Antwort: {A}.",
            "Frage: {Q}? Antwort: {A}.",
            "Frage: {Q}? Antwort: {S}.",
            "{Q}? Antwort: {A}.",
            "F: {Q}? A: {A}.",
            "{Q}? Die Antwort lautet: {A}.",
            "{Q}? Die Antwort ist: {A}.",
            "Rätsel: {Q}? Lösung: {A}.",
            "„{Q}?“, fragt {n}. „{S}“, antwortet {m}.",
            "„{Q}?“ – „{S}.“",
            "{n}: {Q}?\n{m}: {S}.",
            "{n} fragt: „{Q}?“ {m} antwortet: „{S}.“",
            "Die Lehrerin fragt: {Q}? Die Klasse antwortet: {S}.",
            "{Q}? Das ist leicht: {S}.",
            "{n} fragt, {m} weiß es: {Q}? {S}.",
            "Frage an alle: {Q}? Antwort: {A}.",
            "Aufgabe: {Q}? Ergebnis: {A}.",
            "{Q}? Na klar: {S}.",
            "Im Quiz: {Q}? {S}.",
        ),
        "held_lead": ("Kurz gesagt: {S}", "Ganz klar: {S}"),
        "held_inverted": ("Wie alle wissen, {i}", "Selbstverständlich {i}"),
        "held_question": ("Quizfrage: {Q}? Die richtige Antwort ist: {A}", "Wer kann es sagen? {Q}? {S}"),
        "list": ("{t}:", "Thema: {t}.", "Liste: {t}", "Wir üben: {t}.", "{t} im Überblick:", "Zum Lernen: {t}"),
        "lesson": (
            "Heute geht es in der Schule um das Thema {t}.",
            "Thema der Stunde: {t}.",
            "Die Klasse übt heute das Thema {t}.",
            "Ein kurzer Text zum Thema {t}.",
            "{n} und {m} lernen zusammen. Das Thema heißt: {t}.",
            "{t} – das Wichtigste.",
        ),
        "quiz": ("Quiz", "Ein kleines Quiz", "Fragen und Antworten", "Zehn Minuten Quiz: {t}", "Test: {t}", "Quiz zum Thema {t}"),
    },
    "en": {
        "plain": ("{S}.",),
        "lead": (
            "Remember: {s}.",
            "Every child knows: {s}.",
            "This is right: {s}.",
            "The encyclopedia says: {s}.",
            "We learn: {s}.",
            "The teacher says: {s}.",
            "The teacher explains: {s}.",
            "One more fact: {s}.",
            "Did you know? {S}.",
            "One thing is certain: {s}.",
            "For example: {s}.",
            "A reminder: {s}.",
            "On the board it says: {s}.",
            "Grandpa says: {s}.",
            "“{S},” says {n}.",
            "{n} knows: {s}.",
            "{n} reads aloud: “{S}.”",
            "Is that true? {S}. Yes, that is true.",
            "True or false? {S}. True.",
            "Once more: {s}.",
            "This is well known: {s}.",
            "The book says: {s}.",
            "{n} writes in the notebook: {S}.",
            "A simple fact: {s}.",
            "Of course, {s}.",
            "In fact, {s}.",
            "By the way, {s}.",
            "As everyone knows, {s}.",
        ),
        "inverted": ("Naturally, {s}.", "As the book says, {s}.", "As {n} says, {s}.", "As we have learned, {s}."),
        "that": (
            "Everyone knows that {d}.",
            "It is true that {d}.",
            "We learn that {d}.",
            "{n} says that {d}.",
            "It is well known that {d}.",
            "The book says that {d}.",
            "{n} tells {m} that {d}.",
            "I know that {d}.",
            "Today we learned that {d}.",
        ),
        "question": (
            "{Q}? {S}.",
            "{Q}? {S}.",
            "{Q}? {S}.",
            "Question: {Q}? Answer: {A}.",
            "Question: {Q}? Answer: {A}.",
            "Question: {Q}? Answer: {S}.",
            "{Q}? Answer: {A}.",
            "Q: {Q}? A: {A}.",
            "{Q}? The answer is {A}.",
            "{Q}? The answer is: {A}.",
            "Riddle: {Q}? Solution: {A}.",
            "“{Q}?” asks {n}. “{S},” answers {m}.",
            "“{Q}?” “{S}.”",
            "{n}: {Q}?\n{m}: {S}.",
            "{n} asks: “{Q}?” {m} answers: “{S}.”",
            "The teacher asks: {Q}? The class answers: {S}.",
            "{Q}? That is easy: {s}.",
            "{n} asks and {m} knows it: {Q}? {S}.",
            "A question for all: {Q}? Answer: {A}.",
            "Task: {Q}? Result: {A}.",
            "{Q}? Of course: {s}.",
            "In the quiz: {Q}? {S}.",
        ),
        "held_lead": ("In short, {s}", "To put it simply: {s}"),
        "held_inverted": ("As we all know, {s}", "It is a well-known fact that {s}"),
        "held_question": ("Quiz question: {Q}? The correct answer is: {A}", "Can you tell me? {Q}? {S}"),
        "list": ("{t}:", "Topic: {t}.", "List: {t}", "We practise: {t}.", "{t} at a glance:", "To learn: {t}"),
        "lesson": (
            "Today the lesson is about this topic: {t}.",
            "Topic of the lesson: {t}.",
            "The class practises today. The topic: {t}.",
            "A short text on the topic: {t}.",
            "{n} and {m} learn together. Their topic: {t}.",
            "{t} – the main points.",
        ),
        "quiz": ("Quiz", "A little quiz", "Questions and answers", "Ten minutes of quiz: {t}", "Test: {t}", "Quiz on the topic: {t}"),
    },
}


_ISLANDS = ("Bahamas", "Komoren", "Malediven", "Marshallinseln", "Philippinen", "Salomonen", "Seychellen")


def german_country(name: str, gender: str) -> dict[str, str]:
    """A country in the cases the phrasings need; gender "" (no article), "f", "m" or "p" (plural)."""
    article = {"": "", "f": "die ", "m": "der ", "p": "die "}[gender]
    genitive = {"": "von ", "f": "der ", "m": "des ", "p": "der "}[gender]
    place = {"": "in ", "f": "in der ", "m": "im ", "p": "auf den " if name in _ISLANDS else "in den "}[gender]
    emirates = name.startswith("Vereinigte")
    declined = (
        name.replace("ische ", "ischen ")
        if gender == "f"
        else "Vereinigten Arabischen Emirate"
        if emirates
        else name.replace(" die ", " den ")
    )
    dative = declined + "n" if gender == "p" and declined[-1] not in "nsA" else declined
    many = gender == "p"
    return {
        "x": "Vereinigte Arabische Emirate" if emirates else name,
        "gen": genitive + declined,
        "nom": (nominative := article + (declined if emirates else name)),
        "Nom": capital(nominative),
        "in": place + dative,
        "liegt": "liegen" if many else "liegt",
        "hat": "haben" if many else "hat",
        "gehört": "gehören" if many else "gehört",
    }


def english_country(name: str) -> dict[str, str]:
    """An English country name is the same everywhere; plural ones take "are" and "have"."""
    many = name in (
        "the Philippines",
        "the Maldives",
        "the Seychelles",
        "the Comoros",
        "the Bahamas",
        "the Marshall Islands",
        "the Solomon Islands",
    )
    return {
        "x": name,
        "is": "are" if many else "is",
        "has": "have" if many else "has",
        "its": "their" if many else "its",
        "lies": "lie" if many else "lies",
    }
