'''Everything that knows Streamlit: the frame around the pages and the kit they are built from.

A page is a plain script in pages/<topic>.py. The frame has drawn the navigation, the title and the
question (`pages.<topic>.title`, `.question` in common.toml) before the page starts. To add one: write it,
put its words into assets/texts/{en,de}/<topic>.toml, and add one line to PAGES in frame.py. For example:

    """Lab: what a model is sure of."""

    from core.charts.distribution import distribution_chart, distribution_data
    from core.decoding import distribution
    from core.ui import controls, live, panels
    from core.ui.charts import draw
    from core.ui.frame import fragment, require
    from core.ui.lab import lab
    from core.ui.live_slider import live_slider
    from core.ui.token_strip import read_tokens, token_strip

    # The values that each preset sets; "default" is what a control goes back to where a preset leaves it out.
    PRESETS = {"default": {"temperature": 1.0, "layers": "all"}, "fact": {}, "story": {"temperature": 1.5}, "list": {}}

    page = require("sureness")          # first: name = file stem; gives page.t (words), page.lm (model), page.language
    t, lm = page.t, page.lm


    @fragment                           # like st.fragment; an error inside becomes one friendly sentence
    def experiment(ids):
        reading = live.read(lm, ids)    # .logits (V,) after the text, .logprobs (T,); known beginnings are reused
        with panels.panel(page, "sure", "live"):        # card: texts sure.title, sure.caption; live | recorded | arithmetic
            temperature = live_slider(page, "temperature", 0.0, 2.0, 1.0, 0.1, every_step=True)    # follows the finger
            layers = controls.segmented(page, "layers", ["all", "half"], "all")     # texts layers.label, layers.options.all
            before, after = distribution(reading.logits), distribution(reading.logits, temperature)
            best = before.topk(10).indices
            data = distribution_data(best, lm.tokenizer.labels(best), before[best], after[best])
            words = {name: t.plain(f"sure.{name}") for name in ("before", "after", "token")}
            spec = distribution_chart(10, **words, language=page.language)          # @spec: built once, data comes now
            draw(page, "bars", spec, data, alt=t.plain("sure.alt", share=float(after.max())))
            token_strip(page, "text", read_tokens(page, reading), t.plain("sure.strip"), on_click=lambda i: None)
            panels.download(page, "sure", lambda: data)                             # every chart's data as CSV
        panels.takeaway(page, share=float(after.max()))                             # text takeaway: "... {share:.0%} ..."


    @fragment
    def guess(ids):                     # answer() runs only after a choice: (right choice, values of predict.answer)
        panels.predict(page, ("yes", "no"), lambda: ("no", {"share": float(distribution(live.read(lm, ids).logits).max())}))


    # Texts presets.fact.label, .prompt, .look, .note, prompt.label, prompt.default; all bad input is handled.
    lab(page, PRESETS, guess, experiment, max_tokens=512, keep="tail")
    panels.myth_fact(page)              # texts myth.claim, myth.fact
    panels.source(page, distribution)   # the core functions that ran, as code
    panels.sources(page)                # texts sources.<name>, Markdown with links

Rules that a test holds: no words in pages (only `t(...)`), no torch arithmetic, no chart building, no CSS;
the same text keys in en and de. Numbers come into texts as named values, `{share:.0%}`, and are written in
the language's way; strings are escaped, so a viewer's text never becomes Markdown. Use `t.plain` where
Markdown is not read: alternative texts, chart words, token strips, column heads. `t.number(x, ".1f")`
writes one number.

Keys are `<page>_<name>` (`page.key("top_k")`), the same in the session and in the link. Everything in
controls, live_slider and appended keeps itself in the link; use `url.seed` and `url.share` for more.
`page.note("notes.my_note", ...)` says in one sentence what was done with an input.

A live slider either runs its fragment at every step, or, much faster, moves a chart that already holds
all steps: `distribution_chart(..., follow=selector(page, name))`, see pages/next_token.py.

Something that goes on until it is stopped (writing, racing) does one step a run and calls
`frame.run_again()` at the end of its fragment; see pages/next_token.py.

Charts take colours by role, never by value: core/charts/theme.py. Every chart gets `alt=`. Results that
many students ask for: `st.cache_data(max_entries=...)` on token ids and settings.
'''
