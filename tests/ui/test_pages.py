"""Every page in both languages inside its frame, the words' keys, and what pages may not do."""

import ast
import tomllib
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(p.stem for p in (ROOT / "pages").glob("*.py"))

# The labs and the settings that their links carry.
LABS = {
    "next_token": "temperature top_k top_p min_p seed added",
    "beam_search": "width steps penalty sentence shown long seed",
    "inside": "block token head answer",
    "attention": "head token key off stage hide_first chance",
    "context_window": "window answer",
    "positions": "head token shift gap rotation seed factor method scheme",
    "speculative_decoding": "draft draft_length temperature seed acceptance cost check block",
    "kv_cache": "strategy budget layer step race_tokens chosen new_tokens temperature seed drop_share context_power sequences",
    "sparse_attention": "pattern width index layer measure k",
    "attention_variants": "kind source kv_heads filled context_power batch_power",
    "paged_cache": "order compact shared evicted every budget room",
    "mixture_of_experts": "balance layer token way cell unit sequences",
    "quantization": "format granularity group_size part layer measured compare",
}


def opened(name, **link):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    if name != "home":
        at.switch_page(f"pages/{name}.py")
    for key, value in link.items():
        at.query_params[key] = value
    return at.run()


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", PAGES)
def test_opens_without_an_error(name, language):
    at = opened(name, lang=language)
    assert not at.exception and not at.error and not at.warning
    words = tomllib.loads((ROOT / "assets" / "texts" / language / "common.toml").read_text("utf-8"))["pages"]
    assert ("Glassbox" if name == "home" else words[name]["title"]) in [title.value for title in at.title]


STRANGE = ["", "   ", "a" * 100_001, "😀👩‍👩‍👧 \x00\x07", "مرحبا بالعالم", "<script>alert(1)</script> **x** [a](b)", "<|endoftext|>", "word " * 3000]


CODE = {p: (ROOT / "pages" / f"{p}.py").read_text("utf-8") for p in PAGES if p != "home"}
WITH_TEXT = [p for p, code in CODE.items() if any(call in code for call in ("lab(page", "controls.prompt(", "controls.text("))]


READ_WHILE_TYPED = ("bias_and_calibration", "embeddings", "encoder_decoder", "multimodal", "post_training", "test_time", "tokens")  # their text is one line


@pytest.mark.parametrize("name", WITH_TEXT)
def test_any_text_gets_an_answer_or_one_sentence(name):
    at = opened(name, lang="en")
    kind = "text_input" if name in READ_WHILE_TYPED else "text_area"
    for text in STRANGE:
        getattr(at, kind)[0].set_value(text).run()
        assert not at.exception and not at.error, (text[:20], [e.value for e in at.error])
        assert getattr(at, kind)[0].value == text  # nothing typed is lost
        if not text.strip() or len(text) > 3000 or "\x00" in text:
            assert at.warning, text[:20]


@pytest.mark.parametrize("name, key, value", [
    ("next_token", "next_token_temperature", "9"), ("next_token", "next_token_top_k", "many"), ("attention", "attention_head", "99.1"),
    ("context_window", "context_window_window", "-3"), ("kv_cache", "kv_cache_strategy", "lru"), ("kv_cache", "kv_cache_seed", "1e9"),
])  # fmt: skip
def test_impossible_settings_in_the_link_are_reset(name, key, value):
    at = opened(name, lang="en", **{key: value})
    assert not at.exception and not at.error
    assert any(key in warning.value.replace("\\", "") for warning in at.warning)


@pytest.mark.parametrize("name", LABS)
def test_every_setting_in_the_link_may_be_nonsense(name):
    """All of a page's settings at once: not numbers, no numbers at all, far too large, markup, empty."""
    settings = [f"{name}_{setting}" for setting in LABS[name].split()]
    for value in ("nan", "inf", "-1e999", "<b>[x](y)</b>", ""):
        at = opened(name, lang="de", **dict.fromkeys(settings, value))
        assert not at.exception and not at.error, (value, [box.value for box in [*at.exception, *at.error]])
        assert at.warning and not any("<b>" in warning.value for warning in at.warning)


@pytest.mark.parametrize("name", LABS)
def test_the_text_of_a_link_stays_when_a_setting_is_reset(name):
    at = opened(name, lang="en", **{f"{name}_prompt": "What I typed myself.", f"{name}_seed": "lots", f"{name}_temperature": "hot"})
    assert not at.exception and not at.error and at.text_area[0].value == "What I typed myself."


def test_unknown_language_is_said():
    at = opened("home", lang="xx")
    assert not at.exception and len(at.warning) == 1


def _flat(table, start=""):
    return {k for key, value in table.items() for k in (_flat(value, f"{start}{key}.") if isinstance(value, dict) else {start + key})}


def test_the_same_words_in_both_languages():
    english = {f.name: _flat(tomllib.loads(f.read_text("utf-8"))) for f in (ROOT / "assets/texts/en").glob("*.toml")}
    german = {f.name: _flat(tomllib.loads(f.read_text("utf-8"))) for f in (ROOT / "assets/texts/de").glob("*.toml")}
    assert english == german


def _imports(file):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_only_the_ui_knows_streamlit_and_pages_know_no_torch():
    for file in (ROOT / "core").rglob("*.py"):
        if "ui" not in file.relative_to(ROOT).parts and file.name != "_viewer.py":  # which speaks Streamlit's protocol from outside
            assert not any(name.split(".")[0] == "streamlit" or name.startswith("core.ui") for name in _imports(file)), file
    for file in (ROOT / "pages").glob("*.py"):
        assert not any(name.split(".")[0] in ("torch", "altair", "plotly") for name in _imports(file)), file


def test_pages_are_short():
    """What a page computes and draws stands in core, where it can be read and tested."""
    assert not {file.stem: n for file in (ROOT / "pages").glob("*.py") if (n := len(file.read_text("utf-8").splitlines())) > 150}


def test_pages_say_nothing_in_words_of_their_own():
    for file in (ROOT / "pages").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("markdown", "caption", "write", "button", "title", "header", "subheader", "info", "warning", "error", "success"):
                for argument in node.args:
                    assert not (isinstance(argument, ast.Constant) and isinstance(argument.value, str) and " " in argument.value), (file, node.lineno)
