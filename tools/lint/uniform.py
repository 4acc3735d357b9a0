"""The small things that are alike in every file, and how much of a room is comment.

    prefix    a static function starts with the name of its file or of a directory above it, or a word of one of them
    enum      an enum that counts by itself ends in a private `_N`; one whose numbers are written down (flags, numbers of
              a wire or of a device) need not
    unused    no `(void)argument;`: the compiler is told once that arguments may be unused
    comments  of a room's lines with something on them, one in COMMENTS_ROOM has a comment, and of all lines one in
              COMMENTS_ALL: rooms differ, but a house of rooms at the lower bound does not teach

Code that is only tests, suites or fuzzers is not looked at. What is right otherwise stands in `waivers`.
"""
import os
import re

COMMENTS_ROOM, COMMENTS_ALL = 8, 6
# Rooms too small for a share to say something.
LINES_LEAST = 150
TEST = re.compile(r'(_test\.c$|(^|/)(test|fuzz)/|^osd/suites/|^tests/)')
STATIC = re.compile(r'^static (?!inline\b)(?!const struct)[^\n=;{}()]*?\b(\w+)\(', re.M)
MACRO = {'_Static_assert', '__attribute__'}


def words(path):
    """What a static of this file may start with."""
    *above, stem = os.path.splitext(path)[0].split('/')
    found = {stem.rstrip('s'), *(w for name in (*above, stem) for w in (name, *name.split('_')))}
    if stem.startswith('do_'):  # a kernel call: check_X() and commit_X() are its halves
        found |= {'check', 'commit'}
    return found


def check_statics(path, text):
    for name in STATIC.findall(text):
        first = name.split('_')[0]
        if name not in MACRO and not any(w.startswith(first) for w in words(path)):
            yield 'prefix', f'{path}:{name}', f'starts with none of {", ".join(sorted(words(path)))}'


def check_enums(path, text):
    for name, body in re.findall(r'^enum (\w+) \{(.*?)\n\};', text, re.M | re.S):
        if not re.search(r'_N\b', body) and '=' not in re.sub(r'/\*.*?\*/', '', body, flags=re.S):
            yield 'enum', f'{path}:{name}', 'does not end in a _N'


def check_unused(path, text):
    for name in re.findall(r'^\t+\(void\)(\w+);', text, re.M):
        yield 'unused', path, f'(void){name}: needless'


def count_comments(text):
    """(lines with a comment, lines with anything)"""
    n_comment = n_lines = 0
    inside = False
    for line in map(str.strip, text.split('\n')):
        if not line:
            continue
        n_lines += 1
        opens = '/*' in line or line.startswith('//')
        n_comment += inside or opens
        last = line.rfind('/*')
        inside = (inside or '/*' in line) and '*/' not in line[max(last, 0):]
    return n_comment, n_lines


def check_comments(texts, waived):
    rooms = {}
    for path, text in texts.items():
        n = rooms.setdefault(os.path.dirname(path), [0, 0])
        for i, count in enumerate(count_comments(text)):
            n[i] += count
    for room, (n_comment, n_lines) in sorted(rooms.items()):
        if n_lines >= LINES_LEAST and n_comment * COMMENTS_ROOM < n_lines:
            yield 'comments', room, f'one line in {n_lines / max(n_comment, 1):.1f} has a comment, not one in {COMMENTS_ROOM}'
    n_comment, n_lines = (sum(n[i] for room, n in rooms.items() if room not in waived) for i in (0, 1))
    if n_lines >= LINES_LEAST and n_comment * COMMENTS_ALL < n_lines:
        yield 'comments', '.', f'one line in {n_lines / max(n_comment, 1):.2f} has a comment, not one in {COMMENTS_ALL}'


def check(texts, waived=()):
    """(rule, where, text) of every finding in {path: text}; waived: rooms that do not count for the whole."""
    ours = {p: t for p, t in texts.items() if p.endswith(('.c', '.h', '.S')) and not TEST.search(p)}
    for path, text in sorted(ours.items()):
        if path.endswith('.c'):
            yield from check_statics(path, text)
            yield from check_unused(path, text)
        yield from check_enums(path, text)
    yield from check_comments(ours, waived)
