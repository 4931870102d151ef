from core.measure.segments import Segment, step_segments


def test_without_a_cache_everything_is_computed():
    assert step_segments(5, 5) == [Segment(0, 5, "computed")]


def test_with_a_cache_only_the_new_token_is_computed():
    assert step_segments(5, 1) == [Segment(0, 4, "reused"), Segment(4, 5, "computed")]


def test_dropped_tokens_are_neither_held_nor_new():
    assert step_segments(8, 1, held=[0, 1, 5, 6]) == [
        Segment(0, 2, "reused"), Segment(2, 5, "dropped"), Segment(5, 7, "reused"), Segment(7, 8, "computed")]  # fmt: skip


def test_segments_cover_the_text_once():
    segments = step_segments(300, 1, held=range(0, 299, 3))
    assert segments[0].start == 0 and segments[-1].end == 300
    assert all(a.end == b.start for a, b in zip(segments, segments[1:]))
