"""Everything the model computed for a text, kept for a few texts."""

import streamlit as st

from core.measure.attention_stats import head_kind, head_profile
from core.models import trace


def traced(lm, ids) -> dict:
    """`trace(lm, ids)`, from memory where it was asked before. Read it, never write on it."""
    return _traced(lm, lm.name, tuple(ids))


@st.cache_resource(max_entries=4, show_spinner=False)
def _traced(_lm, name: str, ids: tuple[int, ...]) -> dict:
    kept = ("hook_pattern", "hook_rot_q", "hook_rot_k", "hook_q", "hook_k", "hook_v", "logits")
    acts = trace(_lm, list(ids))
    return {key: value for key, value in acts.items() if key.endswith(kept)}


@st.cache_data(max_entries=16, show_spinner=False)
def kinds(_lm, name: str, ids: tuple[int, ...]) -> list[list[str]]:
    """What every head does on this text: one list of words a layer."""
    acts = _traced(_lm, name, ids)
    profiles = [head_profile(acts[f"blocks.{layer}.attn.hook_pattern"], ids) for layer in range(_lm.config.n_layers)]
    return [[head_kind(profile, head) for head in range(_lm.config.n_heads)] for profile in profiles]


@st.cache_data(max_entries=32, show_spinner=False)
def logits_without(_lm, name: str, ids: tuple[int, ...], heads: tuple[tuple[int, int], ...]):
    """The last token's scores (V,) with some heads switched off."""
    return trace(_lm, list(ids), ablate=heads)["logits"][-1].clone()
