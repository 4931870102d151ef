"""A class answers together: the lecturer's room, the students' phones, bars that grow, class against model."""

import streamlit as st

from core.classroom.questions import next_token, temperature
from core.classroom.score import class_share, surprisal
from core.ui import panels, room
from core.ui.classroom import attempt, check, enter, lecturer, student
from core.ui.frame import require

page = require("classroom")
t = page.t
ROOM = page.key("room")

code = st.query_params.get(ROOM, "")[:20].upper()
if not code:
    enter(page)
elif not attempt(page, check, code):
    st.button(t("student.leave"), on_click=lambda: st.query_params.pop(ROOM, None), key=page.key("leave"))
else:
    key = room.token(page, code)
    if key and attempt(page, room.store().is_lecturer, code, key):
        lecturer(page, code, key)
    else:
        if key:
            st.error(t("refused.not_allowed"), icon=":material/error:")
        student(page, code)
if not code:
    panels.source(page, class_share, surprisal, next_token, temperature)
    panels.sources(page)
