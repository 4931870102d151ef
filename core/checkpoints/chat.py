"""Which chat format a checkpoint was trained on, read off its template without running it.

Templates are programs in Jinja; a file from somewhere else is data here, so it is recognised, never executed.
"""

import re

_SYSTEM = re.compile(r"<\|im_start\|>system\\?\n?(?:\\n)?([^<>{}']{1,500})<\|im_end\|>")


def chat_card(template: str | None) -> dict:
    """{"chat": "chatml", "system": …} for templates with <|im_start|>; {} for a base model or an unknown format.

    `system` is what the template puts first where a conversation brings no system message of its own ("" = nothing).
    """
    if not isinstance(template, str) or "<|im_start|>" not in template:
        return {}
    found = _SYSTEM.search(template)
    return {"chat": "chatml", "system": found[1].strip() if found else ""}
