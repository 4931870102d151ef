"""transformers' LlamaForCausalLM with the weights of one of our models."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from core.checkpoints.llama import to_llama_config, weight_names


def as_transformers(lm) -> LlamaForCausalLM:
    """The same weights in the reference implementation, computing attention step by step."""
    raw = {**to_llama_config(lm.config), "torch_dtype": "float32", "attn_implementation": "eager"}
    reference = LlamaForCausalLM(LlamaConfig(**raw)).eval()
    ours = lm.network.state_dict()
    state = {theirs: ours[name] for theirs, name in weight_names(lm.config).items()}
    missing, unexpected = reference.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}
    reference.tie_weights()
    reference.generation_config.eos_token_id = getattr(lm.tokenizer, "eot", None)
    reference.generation_config.pad_token_id = 0
    return reference


def random_ids(lm, n, seed=0):
    return torch.randint(0, lm.config.vocab_size - 1, (1, n), generator=torch.Generator().manual_seed(seed))
