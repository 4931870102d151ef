"""Number words and small sums."""

_SMALL = {
    "de": (
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
    ).split(),
    "en": (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    ).split(),
}
_TENS = {
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split(),
    "en": "twenty thirty forty fifty sixty seventy eighty ninety".split(),
}
_SIGNS = {"de": {"+": "plus", "-": "minus", "·": "mal"}, "en": {"+": "plus", "-": "minus", "·": "times"}}


def number_words(n: int, language: str) -> str:
    """`n` (0 to 100) in words."""
    if not 0 <= n <= 100:
        raise ValueError(f"number words go from 0 to 100, got {n}")
    if n < 20:
        return _SMALL[language][n]
    if n == 100:
        return {"de": "hundert", "en": "one hundred"}[language]
    tens, ones = _TENS[language][n // 10 - 2], n % 10
    if not ones:
        return tens
    if language == "de":
        return ("ein" if ones == 1 else _SMALL["de"][ones]) + "und" + tens
    return f"{tens}-{_SMALL['en'][ones]}"


def arithmetic(language: str) -> dict[str, list[dict[str, str]]]:
    """Rows for sums up to 10 + 10, differences up to 10 and products up to 10 × 10, in words and in digits; counting and number words."""
    tasks = [(a, "+", b, a + b) for a in range(11) for b in range(11)]
    tasks += [(a, "-", b, a - b) for a in range(11) for b in range(a + 1)]
    tasks += [(a, "·", b, a * b) for a in range(1, 11) for b in range(1, 11)]
    words = [number_words(n, language) for n in range(101)]
    return {
        "sum": [_row(f"{words[a]} {_SIGNS[language][sign]} {words[b]}", words[result]) for a, sign, b, result in tasks],
        "digits": [_row(f"{a} {'×' if language == 'en' and sign == '·' else sign} {b}", str(result)) for a, sign, b, result in tasks],
        "count": [_row(words[n], words[n + 1]) for n in range(100)] + [_row(str(n), str(n + 1)) for n in range(100)],
        "numeral": [_row(str(n), words[n]) for n in range(101)],
        "figure": [_row(words[n], str(n)) for n in range(101)],
    }


def _row(x: str, y: str) -> dict[str, str]:
    return {"x": x, "y": y}
