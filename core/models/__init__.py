"""The networks. `Decoder` is the one to read first."""

from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.language_model import LanguageModel
from core.models.trace import trace

__all__ = ["Decoder", "DecoderConfig", "LanguageModel", "trace"]
