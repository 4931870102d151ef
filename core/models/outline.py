"""A network whose weights come from elsewhere: its layers are made without start values.

PyTorch's own way, the meta device, imports its compiler for it (75 MB that stay). Memory that was asked for and never
written takes no room, so plain empty tensors do the same.
"""

import torch
from torch.overrides import TorchFunctionMode

from core.models.config import DecoderConfig
from core.models.decoder import Decoder

_START_VALUES = ("uniform_", "normal_", "kaiming_uniform_")  # what the layers of a decoder draw them with


class WithoutStartValues(TorchFunctionMode):
    """Leaves tensors as they are where start values would be drawn; holds for this thread only."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") not in _START_VALUES:
            return function(*args, **(kwargs or {}))
        return args[0] if args else kwargs["tensor"]  # those of torch.nn.init come here as a whole: inside, this is off


def outline(config: DecoderConfig) -> Decoder:
    """A decoder with its weights still to be filled in; what is not is whatever stood in memory."""
    with torch.no_grad(), WithoutStartValues():
        network = Decoder(config)
        if network.config.learned_positions:
            network.pos_embed = torch.nn.Parameter(torch.empty_like(network.pos_embed))
    return network
