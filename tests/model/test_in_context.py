"""Examples in two models: the larger one takes up a rule that no text held."""

from core.measure.in_context import few_shot, few_shot_prompts
from core.ui.texts import Texts


def test_the_larger_model_takes_up_invented_labels(mini, smollm2):
    t = Texts("in_context_learning", "en")
    prompts = few_shot_prompts(t.plain("presets.labels.prompt").splitlines(), t.plain("presets.labels.question"), ", ")[0::8]
    found = {}
    for lm in (mini, smollm2):
        encode = lm.tokenizer.encode
        found[lm.name] = [shot.probability for shot in few_shot(lm, map(encode, prompts), encode(" vup"))]
    assert found[mini.name][1] < 0.15 and found[smollm2.name][0] < 0.01 and found[smollm2.name][1] > 0.3
