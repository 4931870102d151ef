"""transformers with the weights of one of our models: the yardstick of `python -m core.bench inference`."""

import torch
from torch import Tensor

from core.checkpoints.llama import to_llama_config, weight_names
from core.models.language_model import LanguageModel


class Transformers:
    """LlamaForCausalLM, its own way of doing each thing that is measured."""

    def __init__(self, lm: LanguageModel, dtype: torch.dtype = torch.float32):
        from transformers import LlamaConfig, LlamaForCausalLM
        from transformers.utils import logging

        logging.set_verbosity_error()
        raw = {**to_llama_config(lm.config), "torch_dtype": str(dtype).removeprefix("torch.")}
        with torch.device("meta"):
            self.model = LlamaForCausalLM(LlamaConfig(**raw)).eval()
        self.model = self.model.to(dtype).to_empty(device="cpu")
        self.model.model.rotary_emb = type(self.model.model.rotary_emb)(self.model.config)  # its buffers are in no file
        ours = lm.network.state_dict()
        state = {theirs: ours[name].to(dtype) for theirs, name in weight_names(lm.config).items()}
        missing, unexpected = self.model.load_state_dict(state, strict=False)
        if unexpected or not set(missing) <= {"lm_head.weight"}:
            raise RuntimeError(f"transformers wants other weights: {missing}, {unexpected}")
        self.model.tie_weights()
        self.model.generation_config.eos_token_id = None

    def greedy(self, ids: Tensor, n: int) -> list[int]:
        return self._generate(ids, n, 1)

    def beam(self, ids: Tensor, n: int) -> list[int]:
        return self._generate(ids, n, 4)

    def prefill(self, ids: Tensor) -> Tensor:
        self.model.set_attn_implementation("sdpa")
        return self.model(ids, logits_to_keep=1, use_cache=True).logits

    def maps(self, ids: Tensor) -> tuple[Tensor, ...]:
        self.model.set_attn_implementation("eager")  # the others never store the weights
        return self.model(ids, output_attentions=True, use_cache=False).attentions

    def _generate(self, ids: Tensor, n: int, width: int) -> list[int]:
        self.model.set_attn_implementation("sdpa")
        settings = {"max_new_tokens": n, "num_beams": width, "do_sample": False, "pad_token_id": 0}
        return self.model.generate(ids, attention_mask=torch.ones_like(ids), **settings)[0, ids.shape[1] :].tolist()
