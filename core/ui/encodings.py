"""The encodings that a page can show side by side on this machine."""

from dataclasses import dataclass

from core.charts.encodings import OTHERS
from core.charts.theme import ROLES
from core.checkpoints.compared import shared_tokenizer
from core.checkpoints.encodings import PUBLIC, MissingEncoding, load_encoding
from core.tokenization import lane
from core.tokenizers import Tokenizer
from core.ui.kept import Kept
from core.ui.token_lanes import Row

BUNDLED = "mini"
OTHER = "other"  # the tokenizer of the model that the viewer chose, where that is not the bundled one
_lanes = Kept(200)  # texts of at most a page's limit, over all viewers


@dataclass(frozen=True)
class Encodings:
    """What is here, in the order of the rows."""

    tokenizers: dict[str, Tokenizer]  # "mini", names of PUBLIC, "other"
    labels: dict[str, str]  # the same names as a viewer reads them
    missing: tuple[str, ...]  # labels of public encodings whose ranks are not on this machine

    @property
    def roles(self) -> dict[str, str]:
        """Name -> what its colour is called in charts."""
        return {name: name if name in OTHERS else ROLES[0] for name in self.tokenizers}

    def rows(self, page, text: str) -> list[Row]:
        """The text in every encoding, with its counts (text `lanes.note`) and colour."""
        lanes = [_lanes.get((self.labels[name], text), lambda: lane(name, one, text)) for name, one in self.tokenizers.items()]
        notes = [page.t.plain("lanes.note", n=len(one.ids), per=len(one.ids) / len(text)) for one in lanes]
        colors = [len(ROLES) + OTHERS.index(name) if name in OTHERS else 0 for name in self.tokenizers]
        return [Row(*each) for each in zip(lanes, self.labels.values(), notes, colors)]


def encodings(lm) -> Encodings:
    """The bundled encoding, the public ones that are here, and that of `lm` where it is another model."""
    own = lm.tokenizer.name == BUNDLED
    found, labels, missing = {BUNDLED: lm.tokenizer if own else shared_tokenizer()}, {BUNDLED: BUNDLED}, []
    for name, entry in PUBLIC.items():
        try:
            found[name], labels[name] = load_encoding(name), entry.label
        except MissingEncoding:
            missing.append(entry.label)
    if not own:
        found[OTHER], labels[OTHER] = lm.tokenizer, lm.name
    return Encodings(found, labels, tuple(missing))
