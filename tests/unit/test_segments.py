from core.measure.segments import Segment, count, ranges, step_segments, without_cache


def test_without_a_cache_everything_is_computed():
    assert step_segments(5, range(5), range(5)) == [Segment(0, 5, "computed")]


def test_without_a_cache_each_step_is_one_token_longer():
    assert without_cache(5, 2) == [[Segment(0, 5, "computed")], [Segment(0, 6, "computed")]]


def test_with_a_cache_only_the_new_token_is_computed():
    assert step_segments(5, [4], range(5)) == [Segment(0, 4, "reused"), Segment(4, 5, "computed")]


def test_dropped_tokens_are_neither_seen_nor_new():
    segments = step_segments(8, [7], [0, 1, 5, 6, 7])
    assert segments == [Segment(0, 2, "reused"), Segment(2, 5, "dropped"), Segment(5, 7, "reused"), Segment(7, 8, "computed")]
    assert ranges(segments, "reused") == [(1, 2), (6, 7)] and ranges(segments, "dropped") == [(3, 5)]
    assert [count(segments, state) for state in ("computed", "reused", "dropped")] == [1, 4, 3]


def test_segments_cover_the_text_once():
    segments = step_segments(300, [299], range(0, 299, 3))
    assert segments[0].start == 0 and segments[-1].end == 300
    assert all(a.end == b.start for a, b in zip(segments, segments[1:]))
    assert sum(count(segments, state) for state in ("computed", "reused", "dropped")) == 300
