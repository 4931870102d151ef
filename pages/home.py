"""The front door."""

from core.ui.frame import require

page = require("home")
