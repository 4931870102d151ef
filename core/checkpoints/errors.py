"""What can go wrong when a model is loaded."""


class UnknownModel(ValueError):
    """No model of that name; the message lists the names there are."""


class DamagedCheckpoint(RuntimeError):
    """A model's file is missing or broken; `file` names it."""

    def __init__(self, file: str, reason: str):
        super().__init__(f"{file} {reason}; get it again with: git checkout -- {file}")
        self.file, self.reason = file, reason
