#!/usr/bin/env python3
"""Is a rise found, and only a rise? The comparison of figures with a baseline."""
import os
import sys
import tempfile

import compare


def row(name, value, better='lower'):
    return {'name': name, 'value': value, 'unit': 'x', 'better': better, 'note': ''}


BASELINE = {'a.insn': 1000, 'b_per_insn': 10.0, 'c.ms': 5.0}
CASES = (
    # figures, findings
    ([row('a.insn', 1000), row('b_per_insn', 10, 'higher'), row('c.ms', 5)], 0),
    ([row('a.insn', 1019), row('b_per_insn', 9.81, 'higher'), row('c.ms', 50)], 0),
    ([row('a.insn', 1021), row('b_per_insn', 10, 'higher')], 1),
    ([row('a.insn', 1), row('b_per_insn', 9.8, 'higher')], 1),
    ([row('a.insn', 1000), row('b_per_insn', 0.01, 'higher')], 1),
    ([row('a.insn', 1100), row('b_per_insn', 100, 'higher')], 1),
    ([row('a.insn', 1000), row('b_per_insn', 10, 'higher'), row('new.insn', 7)], 0),
    ([row('a.insn', 1000)], 1),
)


def main():
    limited = [row(name, most) for name, most in compare.LIMITS.items()]
    for i, (rows, n) in enumerate(CASES):
        found = compare.findings(rows + limited, BASELINE, True)
        assert len(found) == n, f'case {i}: {found}'
    assert not compare.findings([row('a.insn', 1000)], BASELINE, False)
    # What was promised: no baseline makes it more, none has to have it, and it must be measured.
    for name, most in compare.LIMITS.items():
        high = row(name, 1.01 * most)
        assert len(compare.findings([high], {}, False)) == 1, name
        assert len(compare.findings([high], {name: 2 * most}, False)) == 1, name
        assert not compare.findings([row(name, most)], {name: most / 2}, False), name
        rest = [other for other in limited if other['name'] != name]
        assert len(compare.findings(rest, {}, True)) == 1, name
    assert compare.LIMITS['edit_to_running.s'] <= 2 and compare.LIMITS['lud.rss_kib_per_machine'] <= 24
    assert compare.change_text(row('a.insn', 1010), BASELINE) == '+1.0 %'
    assert compare.change_text(row('new.insn', 7), BASELINE) == '-'
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, 'baseline.json')
        assert compare.load(path) == {}
        compare.save(path, CASES[0][0], 'abc')
        assert compare.load(path) == BASELINE
    print('ok')
    return 0


sys.exit(main())
