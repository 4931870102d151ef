"""Tables write their numbers as the page's language does, whatever the browser speaks, and hold plain numbers."""

import io

import pandas as pd
import pytest

from core.ui.panels import written
from core.ui.texts import Texts


def shown(element) -> pd.DataFrame:
    """What a table of the page writes into its cells."""
    import pyarrow as pa

    return pa.ipc.open_stream(io.BytesIO(element.proto.arrow_data.styler.display_values)).read_pandas()


@pytest.mark.parametrize(
    "language, numbers, shares",
    [
        ("de", ["1.234,5", "−0,2", "–"], ["12,30\u202f%", "100,00\u202f%", "0,05\u202f%"]),
        ("en", ["1,234.5", "−0.2", "–"], ["12.30%", "100.00%", "0.05%"]),
    ],
)
def test_numbers_and_shares_follow_the_language(language, numbers, shares):
    data = pd.DataFrame({"name": ["1.5", "b", "c"], "number": [1234.5, -0.2, None], "share": [0.123, 1.0, 0.0005], "count": [12345, 0, 7]})
    styler = written(Texts("next_token", language), data, ["share"])
    styler._compute()
    cells = [[styler._display_funcs[i, j](data.iat[i, j]) for i in range(3)] for j in range(4)]
    assert cells[0] == ["1.5", "b", "c"], "what is text stays as it is"
    assert cells[1] == numbers and cells[2] == shares
    assert cells[3] == [{"de": "12.345", "en": "12,345"}[language], "0", "7"], "whole numbers get no decimals"


def test_a_share_finer_than_what_is_written_is_not_nothing():
    number = Texts("next_token", "de").number
    assert number(2e-9, ".3%") == "<\u202f0,001\u202f%" and number(0.0, ".3%") == "0,000\u202f%"
    assert number(-0.5, ".1f") == "−0,5" and number(-0.04, ".1f") == "0,0" and number(-0.5, "+.0%") == "−50\u202f%"
    assert number(0.00403, ".3%") == "0,403\u202f%" and number(0.0004, ".0%") == "0\u202f%"


@pytest.mark.parametrize("language, comma, point", [("de", ",", "."), ("en", ".", ",")])
def test_a_page_shows_them_and_keeps_the_numbers(open_page, language, comma, point):
    table = open_page("next_token", lang=language).dataframe[0]
    cells, value = shown(table), table.value
    assert cells["softmax"].str.contains(comma, regex=False).any() and cells["softmax"].str.endswith("%").all()
    assert not cells["softmax"].str.contains(point, regex=False).any()
    assert value["softmax"].between(0, 1).all() and value["logit"].dtype.kind == "f", "so that they sort as numbers"
    assert value["softmax"].tolist() == value["softmax_bar"].tolist()
