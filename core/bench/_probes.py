"""What `python -m core.bench interaction` measures: one entry a control. To add one, write a line below.

`watch` is a CSS selector of what the control drives; every element, chart and container with a key has the class
`st-key-<key>`. The steps are done in turn, one a repeat, so that every repeat changes something.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One thing a viewer does."""

    do: str  # "press" a key on the target | "click" it | "type" a text at its end and hand it over with Ctrl+Enter
    target: str  # playwright selector; reaches into components
    argument: str = ""


@dataclass(frozen=True)
class Probe:
    """One control of one page."""

    page: str
    control: str
    kind: str  # slider, live slider, button, choice, toggle, token, cell, text
    steps: tuple[Step, ...]
    watch: str
    link: str = ""  # what the link sets at first
    stop: Step | None = None  # work that lasts: what ends it, and where that is seen (default: `watch`)
    stopped: str = ""


def key(page: str, name: str, inside: str = "") -> str:
    """Selector of the element with a page's key."""
    return f".st-key-{page}_{name} {inside}".strip()


def shown(page: str, name: str) -> str:
    """Selector of a chart or component with a page's key; a chart without clicks is known by the text beside it."""
    block = '[data-testid="stVerticalBlock"]'
    return f"{key(page, name)}, {block}:has([data-chart='{page}_{name}']):not(:has({block}))"


def moving(page: str, name: str) -> str:
    """A chart or component whose making takes a while, or the bar that shows how far it has come: whichever moves first."""
    return shown(page, name) + ', [data-testid="stProgress"]'


def thumb(page: str, name: str) -> str:
    """Selector of what the arrow keys move."""
    return key(page, name, '[role="slider"], ') + key(page, name, 'input[type="range"]')


def slide(page: str, name: str, watch: str, *keys: str, link: str = "", seen=shown) -> Probe:
    """A slider moved with the arrow keys."""
    return Probe(page, name, "slider", _presses(thumb(page, name), keys or ("ArrowRight",)), seen(page, watch), link)


def follow(page: str, name: str, watch: str, *keys: str, link: str = "", seen=shown) -> Probe:
    """A slider that follows the finger."""
    steps = _presses(key(page, f"{name}_slider", "input"), keys or ("ArrowLeft",))
    return Probe(page, name, "live slider", steps, seen(page, watch), link)


def choose(page: str, name: str, watch: str, *words: str, link: str = "", seen=shown) -> Probe:
    """A choice all of whose options are visible, by their English words."""
    steps = tuple(Step("click", key(page, name, f'button:has(:text-is("{word}"))')) for word in words)
    return Probe(page, name, "choice", steps, seen(page, watch), link)


def switch(page: str, name: str, watch: str, link: str = "") -> Probe:
    return Probe(page, name, "toggle", (Step("click", key(page, name, "label")),), shown(page, watch), link)


def push(page: str, name: str, way: str, watch: str, link: str = "") -> Probe:
    """The button beside a slider that takes it one step back or on."""
    return Probe(page, way, "button", (Step("click", key(page, f"{name}_slider", f"button.{way}")),), shown(page, watch), link)


def pick(page: str, name: str, watch: str, *places: int, inside: str = "button", link: str = "") -> Probe:
    """Tokens or cells of a component, by their place, counted from 0."""
    steps = tuple(Step("click", key(page, name, f"{inside} >> nth={place}")) for place in places)
    return Probe(page, name, "token", steps, shown(page, watch), link)


def write(page: str, watch: str, name: str = "prompt", link: str = "", seen=shown) -> Probe:
    """More text in the prompt, handed over."""
    return Probe(page, name, "text", (Step("type", key(page, name, "textarea"), " and"),), seen(page, watch), link)


def typed(page: str, name: str, watch: str, *letters: str, link: str = "") -> Probe:
    """Letters typed into a field that is read while it is typed."""
    return Probe(page, name, "text", _presses(key(page, name, "input"), letters or ("a", "b", "c")), shown(page, watch), link)


def _presses(target: str, keys: tuple[str, ...]) -> tuple[Step, ...]:
    return tuple(Step("press", target, one) for one in keys)


EMPTY = slide("empty", "value", "said")

PROBES = (
    follow("next_token", "temperature", "bars"),
    slide("next_token", "top_k", "bars"),
    slide("next_token", "top_p", "bars", "ArrowLeft"),
    pick("next_token", "chips", "bars", 0, 1),
    pick("next_token", "tokens", "tokens", 1, 2, 3),
    write("next_token", "bars"),
    Probe("next_token", "write", "button", (Step("click", key("next_token", "write", "button")),), key("next_token", "bars"),
          link="next_token_seed=9",  # a text that goes on long enough
          stop=Step("click", key("next_token", "stop", "button")), stopped=key("next_token", "stop")),
    push("beam_search", "shown", "back", watch="tree"),
    push("beam_search", "shown", "on", watch="tree", link="beam_search_shown=1"),
    follow("beam_search", "shown", "tree"),
    slide("beam_search", "width", "tree", "ArrowRight", "ArrowLeft", seen=moving),
    slide("beam_search", "penalty", "tree", "Home", "End", link="beam_search_sentence=true&beam_search_steps=20"),
    write("beam_search", "tree", seen=moving),
    pick("attention", "strip", "map", 3, 5, 7, 9),
    pick("attention", "strip", "strip", 3, 5, 7, 9),
    pick("attention", "gallery", "map", 3, 20, 31, 44, inside=".grid button"),
    switch("attention", "hide_first", "map"),
    Probe("attention", "next", "button", tuple(Step("click", key("attention", name, "button")) for name in ("next", "back")),
          '[data-testid="stVerticalBlock"]:has([data-chart^="attention_steps_"]):not(:has([data-testid="stVerticalBlock"]))'),
    write("attention", "map"),
    follow("context_window", "window", "curve", "ArrowLeft"),
    follow("context_window", "window", "text", "ArrowLeft"),
    follow("context_window", "window", "guesses", "PageDown", "PageUp"),
    pick("context_window", "text", "curve", 2, 5, 9),
    write("context_window", "curve", seen=moving),
    choose("kv_cache", "strategy", "work", "Window", "Everything", seen=moving),
    slide("kv_cache", "budget", "work", link="kv_cache_strategy=window", seen=moving),
    follow("kv_cache", "step", "work"),
    slide("kv_cache", "drop_share", "pages", "ArrowLeft"),
    slide("kv_cache", "context_power", "models", link="kv_cache_context_power=10"),
    write("kv_cache", "work", seen=moving),
    Probe("kv_cache", "new_tokens", "slider", _presses(thumb("kv_cache", "new_tokens"), ("ArrowRight",)),
          moving("kv_cache", "compare_bytes"), link="kv_cache_new_tokens=8",
          stop=Step("press", key("kv_cache", "seed", "input"), "ArrowUp")),
    Probe("kv_cache", "race_start", "button", (Step("click", key("kv_cache", "race_start", "button")),), shown("kv_cache", "clock"),
          link="kv_cache_race_tokens=60", stop=Step("press", thumb("kv_cache", "race_tokens"), "ArrowLeft")),
    choose("quantization", "format", "comb", "INT8", "INT4", "NF4", "INT4"),
    choose("quantization", "granularity", "comb", "matrix", "row"),
    slide("quantization", "layer", "comb"),
    choose("quantization", "part", "comb", "q", "k", "v"),
    write("quantization", "next"),
    typed("tokens", "prompt", "lanes"),
    choose("tokens", "under", "lanes", "its bytes", "its id"),
    typed("embeddings", "prompt", "map", "e", "r", "n"),
    switch("embeddings", "both", "map"),
    pick("inside", "map", "map", 2, 3, 4, inside="[data-focus]"),
    write("inside", "map"),
    follow("perplexity", "upto", "bars_a", "PageDown"),
    write("perplexity", "bars_a"),
    follow("flash_attention", "step", "matrix"),
    write("flash_attention", "matrix"),
    typed("bias_and_calibration", "a", "pair"),
    follow("bias_and_calibration", "temperature", "calibration"),
    typed("multimodal", "prompt", "matrix", "s", "t"),
    follow("multimodal", "temperature", "matrix", "ArrowRight"),
    slide("post_training", "size", "answers"),
    Probe("test_time", "prompt", "text", _presses(key("test_time", "prompt", "input"), ("0", "Backspace")), shown("test_time", "votes"),
          link="test_time_prompt=1%2B1"),
    follow("test_time", "votes", "votes"),
    choose("timeline", "topic", "line", "scaling", "memory", "speed"),
    choose("language_model", "draws", "choose", "10", "100", "1000", link="language_model_stage=choose"),
    follow("language_model", "progress", "learn", "ArrowRight", link="language_model_stage=learn"),
    write("language_model", "predict", link="language_model_stage=predict"),
    follow("sparse_attention", "width", "mask"),
    follow("paged_cache", "evicted", "pool"),
    choose("sparse_attention", "pattern", "mask", "Blocks", "Top-k by index", "Window"),
    Probe("pretraining", "start", "button", (Step("click", key("pretraining", "start", "button")),),
          key("pretraining", "panel_training") + ', [data-testid="stProgress"]',
          stop=Step("click", key("pretraining", "stop", "button")), stopped=key("pretraining", "start")),
    follow("positions", "shift", "hands", "PageUp", "PageDown"),
    follow("positions", "gap", "distance", "ArrowRight"),
    pick("positions", "strip", "hands", 3, 5, 7),
    choose("positions", "rotation", "next", "off", "on"),
    choose("positions", "factor", "long", "4 (4,096 tokens)", "2 (2,048 tokens)"),
    write("positions", "hands"),
    follow("in_context_learning", "shots", "shots", "ArrowRight"),
    choose("in_context_learning", "joiner", "shots", "comma", "full stop", "new line"),
    choose("in_context_learning", "off", "ablation", "1", "2", "8", "4", seen=moving),
    write("in_context_learning", "shots", "examples", seen=moving),
    follow("speculative_decoding", "draft_length", "rounds", "ArrowRight", link="speculative_decoding_draft_length=1", seen=moving),
    choose("speculative_decoding", "draft", "rounds", "First half", "Small model", seen=moving),
    slide("speculative_decoding", "acceptance", "formula"),
    pick("encoder_decoder", "strip", "gap", 0, 3, 4),
    follow("encoder_decoder", "written", "alignment"),
    Probe("encoder_decoder", "prompt", "text", (Step("type", key("encoder_decoder", "prompt", "input"), " red"),),
          shown("encoder_decoder", "gap")),
    choose("mixture_of_experts", "layer", "score", "2", "3", "4"),
    choose("mixture_of_experts", "balance", "score", "bias (as in DeepSeek-V3)", "not at all"),
    pick("mixture_of_experts", "score", "router", 2, 5, 9, inside=".text button"),
    choose("mixture_of_experts", "way", "grid", "force on all", "forbid", seen=moving),
    follow("mixture_of_experts", "sequences", "published", "ArrowRight"),
    write("mixture_of_experts", "score"),
    follow("gpu", "batch", "roofline", "ArrowRight"),
    follow("gpu", "context", "roofline", "ArrowRight"),
    follow("calculator", "context", "memory", "ArrowRight"),
    choose("calculator", "gpus", "memory", "2", "1"),
    switch("calculator", "small_cache", "memory"),
    choose("calculator", "format", "machines", "Q4_0", "BF16"),
    choose("attention_variants", "kind", "sharing", "GQA", "MQA", "MLA", "MHA"),
    choose("attention_variants", "kv_heads", "pool", "2", "1", "3"),
    slide("attention_variants", "context_power", "models", "ArrowLeft", "ArrowRight"),
    write("attention_variants", "sharing"),
    follow("scaling_laws", "held", "runs", "ArrowLeft", "ArrowRight"),
    choose("scaling_laws", "against", "runs", "Computing", "Text", "Parameters"),
    pick("rnn_vs_transformer", "strip", "losses", 5, 20, 40),
    write("rnn_vs_transformer", "losses"),
    follow("chinchilla", "flops", "curves", "ArrowLeft", "ArrowRight"),
    follow("chinchilla", "budget", "plane", "ArrowLeft"),
)  # fmt: skip
