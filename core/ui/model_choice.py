"""Which model the closed forms are about: one of the table, or the viewer's own config.json, name or Hugging Face id."""

import streamlit as st

from core.costs import ModelSpec, find_spec, models
from core.ui import controls

OWN = "own"


def choose_model(page, default: str) -> ModelSpec:
    """A list of well-known models and "own", which opens a field; what cannot be read is said in one sentence.

    Texts: `model.label`, `model.options.own`, `config.label`, `config.default`, `config.unknown`, `config.unread`.
    """
    name = controls.select(page, "model", [*models(), OWN], default)
    if name != OWN:
        return models()[name]
    text = controls.text(page, "config", keep="head")
    try:
        found = find_spec(text)
    except ValueError as error:
        page.note("config.unread", why=str(error), model=default)
        return models()[default]
    if found is None:
        page.note("config.unknown", name=text[:60], model=default)
        return models()[default]
    heads = {"heads": found.n_heads, "kv": found.n_kv_heads, "kind": found.attention}
    st.caption(page.t("config.found", name=found.name, layers=found.n_layers, **heads))
    return found
