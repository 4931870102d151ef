"""The same sentence in both languages, from a small grammar with German gender, case and endings."""

import random

from core.training.curriculum.lists import _lexicon

_ANIMALS = {"Hund", "Katze", "Pferd", "Vogel", "Maus", "Kuh", "Schwein", "Fuchs", "Kind", "Mann", "Frau", "Lehrer", "König"}
_THINGS = {"Buch", "Brief", "Apfel", "Birne", "Kuchen", "Ei", "Glas", "Teller", "Uhr", "Schlüssel", "Koffer", "Hut", "Ring", "Stein", "Feder", "Bild", "Ball", "Kerze", "Spiegel", "Hammer", "Kissen", "Zeitung", "Lampe", "Stuhl", "Tisch", "Boot", "Blume", "Baum", "Haus", "Turm", "Brücke"}  # fmt: skip
_ADJECTIVES = [("klein", "small"), ("groß", "big"), ("alt", "old"), ("neu", "new"), ("rot", "red"), ("blau", "blue"), ("schön", "beautiful"), ("schwer", "heavy"), ("lang", "long"), ("braun", "brown"), ("grün", "green"), ("weiß", "white")]  # fmt: skip
_TRANSITIVE = [("sieht", "sah", "sees", "saw"), ("sucht", "suchte", "looks for", "looked for"), ("findet", "fand", "finds", "found"), ("holt", "holte", "fetches", "fetched"), ("bringt", "brachte", "brings", "brought"), ("kennt", "kannte", "knows", "knew"), ("vergisst", "vergaß", "forgets", "forgot"), ("zeigt", "zeigte", "shows", "showed"), ("mag", "mochte", "likes", "liked")]  # fmt: skip
_INTRANSITIVE = [("schläft", "schlief", "sleeps", "slept"), ("wartet", "wartete", "waits", "waited"), ("sitzt", "saß", "sits", "sat"), ("spielt", "spielte", "plays", "played"), ("steht", "stand", "stands", "stood"), ("arbeitet", "arbeitete", "works", "worked")]  # fmt: skip
_PLACES = [("im Garten", "in the garden"), ("im Wald", "in the forest"), ("auf der Straße", "in the street"), ("vor dem Haus", "in front of the house"), ("am Fluss", "by the river"), ("in der Stadt", "in the city"), ("auf der Brücke", "on the bridge"), ("neben dem Baum", "next to the tree"), ("unter dem Tisch", "under the table"), ("im Zug", "on the train")]  # fmt: skip
_ARTICLES = {("nom", "m"): "der", ("nom", "f"): "die", ("nom", "n"): "das", ("acc", "m"): "den", ("acc", "f"): "die", ("acc", "n"): "das"}  # fmt: skip
_LAYOUTS = ["Deutsch: {de}\nEnglisch: {en}", "Englisch: {en}\nDeutsch: {de}", "{de} – {en}", "{en} – {de}", "German: {de}\nEnglish: {en}", "English: {en}\nGerman: {de}", "„{de}“ heißt auf Englisch „{en}“", "“{en}” in German is “{de}”"]  # fmt: skip


def documents(rng: random.Random, language: str) -> str:
    """A few sentence pairs in one layout."""
    layout = rng.choice(_LAYOUTS)
    pairs = [sentence_pair(rng) for _ in range(rng.randint(1, 6))]
    return "\n".join(layout.format(de=de, en=en) for de, en in pairs)


def sentence_pair(rng: random.Random) -> tuple[str, str]:
    """(German, English)."""
    past = int(rng.random() < 0.4)
    subject = _noun_phrase(rng, _ANIMALS, "nom")
    form = rng.random()
    if form < 0.5:
        verb = rng.choice(_TRANSITIVE)
        thing = _noun_phrase(rng, _THINGS, "acc")
        de, en = f"{subject[0]} {verb[past]} {thing[0]}", f"{subject[1]} {verb[2 + past]} {thing[1]}"
    elif form < 0.85:
        verb, place = rng.choice(_INTRANSITIVE), rng.choice(_PLACES)
        de, en = f"{subject[0]} {verb[past]} {place[0]}", f"{subject[1]} {verb[2 + past]} {place[1]}"
    else:
        thing, adjective = _noun_phrase(rng, _THINGS, "nom"), rng.choice(_ADJECTIVES)
        de, en = f"{thing[0]} {('ist', 'war')[past]} {adjective[0]}", f"{thing[1]} {('is', 'was')[past]} {adjective[1]}"
    return de[0].upper() + de[1:] + ".", en[0].upper() + en[1:] + "."


def _noun_phrase(rng: random.Random, nouns: set[str], case: str) -> tuple[str, str]:
    """The (small) dog: in German with article, ending and case."""
    noun = rng.choice([row for row in _lexicon() if row["de"] in nouns])
    article = _ARTICLES[case, noun["gender"]]
    de_noun = noun["de"]
    if rng.random() < 0.4:
        de, en = rng.choice(_ADJECTIVES)
        ending = "en" if article == "den" else "e"
        return f"{article} {de}{ending} {de_noun}", f"the {en} {noun['en']}"
    return f"{article} {de_noun}", f"the {noun['en']}"
