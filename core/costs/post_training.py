"""What post-training holds in memory: which models each method needs, and bytes for them.

Trained with Adam in mixed precision, a parameter takes 16 bytes: 2 for the weight, 2 for its gradient, and 12 for a
32-bit copy and Adam's two moments (ZeRO, arXiv 1910.02054, section 3.1). A model that is only asked takes 2.
"""

from dataclasses import dataclass

TRAINED, ASKED = {"weights": 2, "gradients": 2, "optimizer": 12}, {"weights": 2}
# Model -> whether it is trained. PPO: InstructGPT (arXiv 2203.02155). GRPO drops the value model (arXiv 2402.03300,
# section 4.1); rules as rewards also the reward model (DeepSeek-R1-Zero, arXiv 2501.12948).
METHODS = {
    "tuning": {"policy": True},
    "ppo": {"policy": True, "value": True, "reference": False, "reward": False},
    "grpo": {"policy": True, "reference": False, "reward": False},
    "grpo_rules": {"policy": True, "reference": False},
}


@dataclass(frozen=True)
class Held:
    """One part of what a method holds."""

    method: str
    model: str  # policy, value, reference, reward
    part: str  # weights, gradients, optimizer
    bytes: float


def held(parameters: float) -> list[Held]:
    """Everything that each method holds if all its models have so many parameters; activations and caches come on top."""
    if parameters <= 0:
        raise ValueError(f"parameters must be > 0, got {parameters}")
    return [
        Held(method, model, part, parameters * each)
        for method, models in METHODS.items()
        for model, trained in models.items()
        for part, each in (TRAINED if trained else ASKED).items()
    ]
