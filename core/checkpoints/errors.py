"""What can go wrong when a model is found, fetched or loaded. Every message is one sentence for a reader."""


class UnknownModel(ValueError):
    """No model of that name; the message lists the names there are."""


class UnsupportedCheckpoint(ValueError):
    """A file that is whole but holds what this core does not compute; `what` names it."""

    def __init__(self, what: str):
        super().__init__(f"this checkpoint cannot be loaded: {what} is not supported")
        self.what = what


class DamagedCheckpoint(RuntimeError):
    """A model's file is missing or broken; `file` names it."""

    def __init__(self, file: str, reason: str, remedy: str | None = None):
        super().__init__(f"{file} {reason}; get it again with: {remedy or f'git checkout -- {file}'}")
        self.file, self.reason = file, reason


class NotEnoughMemory(MemoryError):
    """The model needs more memory than is free; both numbers (bytes) are in the message."""

    def __init__(self, name: str, needed: int, free: int):
        super().__init__(f"{name} needs {needed / 1e6:,.0f} MB of memory, {free / 1e6:,.0f} MB are free")
        self.name, self.needed, self.free = name, needed, free


class DownloadFailed(RuntimeError):
    """A model could not be fetched; nothing half-written is left behind."""


class DownloadCancelled(DownloadFailed):
    """Somebody stopped the download."""
