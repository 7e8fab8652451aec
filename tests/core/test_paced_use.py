from gateway.core.paced_use import MOST, OTHERS, SHOWN, SPAN, CallerUse, Use


def test_who_sends_most_is_told_first() -> None:
    use = Use()
    for number in range(8):
        for _ in range(number):
            use.sent(f"caller-{number}", 10.0)
    use.refused("caller-1", 11.0)
    found = use.most(12.0, {"caller-2": 9})
    assert len(found) == SHOWN
    assert found[0] == CallerUse("caller-2", 2, 0, 9)
    assert [one.name for one in found[1:]] == ["caller-7", "caller-6", "caller-5", "caller-4"]


def test_what_was_a_while_ago_is_forgotten() -> None:
    use = Use()
    use.sent("a", 1.0)
    use.sent("a", SPAN + 1.0)
    use.refused("b", SPAN + 2.0)
    assert use.most(SPAN + 3.0, {}) == [CallerUse("a", 2, 0, 0), CallerUse("b", 0, 1, 0)]
    assert use.most(2 * SPAN, {}) == [CallerUse("a", 1, 0, 0), CallerUse("b", 0, 1, 0)]
    assert use.most(4 * SPAN, {}) == []


def test_of_many_callers_the_later_ones_are_counted_together() -> None:
    use = Use()
    for number in range(MOST + 10):
        use.sent(f"caller-{number}", 1.0)
    assert use.most(1.0, {})[0] == CallerUse(OTHERS, 10, 0, 0)
