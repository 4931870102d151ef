"""The same sentence in both languages, from a small grammar with German gender, case and endings."""

import random
from functools import lru_cache

from core.training.curriculum.lists import _lexicon

_ANIMALS = ("Hund", "Katze", "Pferd", "Vogel", "Maus", "Kuh", "Schwein", "Fuchs", "Kind", "Mann", "Frau", "Lehrer", "König", "Löwe", "Tiger", "Bär", "Wolf", "Hase", "Ente", "Gans", "Huhn", "Ziege", "Esel", "Affe", "Elefant", "Frosch", "Eule", "Rabe", "Igel", "Freund", "Bruder", "Schwester", "Vater", "Mutter", "Sohn", "Tochter", "Junge", "Mädchen", "Arzt", "Bäcker", "Bauer", "Königin", "Ritter", "Nachbar")  # fmt: skip
_THINGS = ("Buch", "Brief", "Apfel", "Birne", "Kuchen", "Ei", "Glas", "Teller", "Uhr", "Schlüssel", "Koffer", "Hut", "Ring", "Stein", "Feder", "Bild", "Ball", "Kerze", "Spiegel", "Hammer", "Kissen", "Zeitung", "Lampe", "Stuhl", "Tisch", "Boot", "Blume", "Baum", "Haus", "Turm", "Brücke", "Blatt", "Nuss", "Kirsche", "Zitrone", "Kartoffel", "Tomate", "Löffel", "Gabel", "Tasse", "Flasche", "Topf", "Korb", "Eimer", "Schüssel", "Bett", "Schrank", "Teppich", "Zaun", "Tor", "Burg", "Kirche", "Laden", "Bahnhof", "Wiese", "Hügel", "Höhle", "Hemd", "Kleid", "Jacke", "Mütze", "Schal", "Knopf", "Tasche", "Kette", "Krone", "Karte", "Bleistift", "Heft", "Puppe", "Trommel", "Geige", "Glocke", "Fahrrad", "Säge", "Nagel", "Seil", "Leiter", "Schaufel", "Nadel", "Besen", "Münze", "Schatz", "Geschenk", "Nest", "Kamera")  # fmt: skip
_ADJECTIVES = [("klein", "small"), ("groß", "big"), ("alt", "old"), ("neu", "new"), ("rot", "red"), ("blau", "blue"), ("schön", "beautiful"), ("schwer", "heavy"), ("lang", "long"), ("braun", "brown"), ("grün", "green"), ("weiß", "white")]  # fmt: skip
_TRANSITIVE = [("sieht", "sah", "sees", "saw"), ("sucht", "suchte", "looks for", "looked for"), ("findet", "fand", "finds", "found"), ("holt", "holte", "fetches", "fetched"), ("bringt", "brachte", "brings", "brought"), ("kennt", "kannte", "knows", "knew"), ("vergisst", "vergaß", "forgets", "forgot"), ("zeigt", "zeigte", "shows", "showed"), ("mag", "mochte", "likes", "liked"), ("kauft", "kaufte", "buys", "bought"), ("verkauft", "verkaufte", "sells", "sold"), ("hat", "hatte", "has", "had"), ("braucht", "brauchte", "needs", "needed"), ("nimmt", "nahm", "takes", "took"), ("verliert", "verlor", "loses", "lost"), ("trägt", "trug", "carries", "carried"), ("malt", "malte", "paints", "painted"), ("bewundert", "bewunderte", "admires", "admired"), ("hört", "hörte", "hears", "heard"), ("zieht", "zog", "pulls", "pulled"), ("berührt", "berührte", "touches", "touched"), ("versteckt", "versteckte", "hides", "hid"), ("bekommt", "bekam", "gets", "got")]  # fmt: skip
_INTRANSITIVE = [("schläft", "schlief", "sleeps", "slept"), ("wartet", "wartete", "waits", "waited"), ("sitzt", "saß", "sits", "sat"), ("spielt", "spielte", "plays", "played"), ("steht", "stand", "stands", "stood"), ("arbeitet", "arbeitete", "works", "worked"), ("lacht", "lachte", "laughs", "laughed"), ("weint", "weinte", "cries", "cried"), ("singt", "sang", "sings", "sang"), ("tanzt", "tanzte", "dances", "danced"), ("liegt", "lag", "lies", "lay"), ("ruht", "ruhte", "rests", "rested"), ("träumt", "träumte", "dreams", "dreamed"), ("isst", "aß", "eats", "ate"), ("trinkt", "trank", "drinks", "drank")]  # fmt: skip
_PLACES = [("im Garten", "in the garden"), ("im Wald", "in the forest"), ("auf der Straße", "in the street"), ("vor dem Haus", "in front of the house"), ("am Fluss", "by the river"), ("in der Stadt", "in the city"), ("auf der Brücke", "on the bridge"), ("neben dem Baum", "next to the tree"), ("unter dem Tisch", "under the table"), ("im Zug", "on the train"), ("am Meer", "by the sea"), ("in der Küche", "in the kitchen"), ("hinter der Mauer", "behind the wall"), ("auf dem Markt", "at the market"), ("auf dem Berg", "on the mountain"), ("in der Schule", "at school"), ("zwischen den Bäumen", "between the trees"), ("auf der Wiese", "in the meadow")]
_TIMES = [("heute", "today"), ("jeden Tag", "every day"), ("am Morgen", "in the morning"), ("am Abend", "in the evening"), ("in der Nacht", "at night"), ("im Sommer", "in summer"), ("im Winter", "in winter"), ("am Sonntag", "on Sunday")]  # fmt: skip
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
    subject = _noun_phrase(rng, _ANIMALS, "nom", _ADJECTIVES[:3])
    form = rng.random()
    if form < 0.5:
        verb = rng.choice(_TRANSITIVE)
        thing = _noun_phrase(rng, _THINGS, "acc")
        de, en = f"{subject[0]} {verb[past]} {thing[0]}", f"{subject[1]} {verb[2 + past]} {thing[1]}"
    elif form < 0.85:
        verb, place = rng.choice(_INTRANSITIVE), rng.choice(_PLACES)
        de, en = f"{subject[0]} {verb[past]} {place[0]}", f"{subject[1]} {verb[2 + past]} {place[1]}"
        if rng.random() < 0.4:
            time = rng.choice(_TIMES)
            de, en = f"{time[0]} {verb[past]} {subject[0]} {place[0]}", f"{en} {time[1]}"
    else:
        thing, adjective = _noun_phrase(rng, _THINGS, "nom"), rng.choice(_ADJECTIVES)
        de, en = f"{thing[0]} {('ist', 'war')[past]} {adjective[0]}", f"{thing[1]} {('is', 'was')[past]} {adjective[1]}"
    return de[0].upper() + de[1:] + ".", en[0].upper() + en[1:] + "."


def _noun_phrase(rng: random.Random, nouns: tuple[str, ...], case: str, adjectives: list = _ADJECTIVES) -> tuple[str, str]:
    """The (small) dog: in German with article, ending and case."""
    noun = _rows()[rng.choice(nouns)]
    article = _ARTICLES[case, noun["gender"]]
    de_noun = noun["de"]
    if rng.random() < 0.4:
        de, en = rng.choice(adjectives)
        ending = "en" if article == "den" else "e"
        return f"{article} {de}{ending} {de_noun}", f"the {en} {noun['en']}"
    return f"{article} {de_noun}", f"the {noun['en']}"


@lru_cache(maxsize=None)
def _rows() -> dict[str, dict[str, str]]:
    return {row["de"]: row for row in _lexicon()}
