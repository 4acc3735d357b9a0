"""Mutants drawn by rule and seed, over the files that `generated.draw` names.

What a person lists are the guards that a person thought of. These are the others: each line of a file to which a rule
applies is a candidate, and the candidates whose hash with the seed is smallest are drawn. So a draw is repeatable, has
no bias towards what somebody remembers, and does not change with edits elsewhere in the file; nothing of it is
written down, and so nothing of it can be stale.

Rules:
    negate   the condition of an `if` or `while` that stands in one line is negated
    drop     a call that is a statement of its own, in one line, is dropped
    bound    `<` becomes `<=`, `>` becomes `>=`, and the other way round, where a line holds one comparison

What only logs, frees or asserts is not dropped: no suite can see it, or the mutant is a leak that the sanitizers' own
runs look for. A mutant that behaves like the original in every case that can happen stands in `equivalent.list`, by id
and with the reason, and is not drawn again; the next candidate takes its place.

Rows of generated.draw:  FILE COUNT SUITE...   the suites that must notice, cheapest first
"""
import hashlib
import os
import re

SEED = 'samsara-1'
NOT_DROPPED = re.compile(r'assert|log|print|trace|free|close|unref|zero|va_|_delay|panic|unreachable|(^|_)text_')
BOUNDS = {'<': '<=', '<=': '<', '>': '>=', '>=': '>'}


def is_balanced(text):
    depth = 0
    for c in text:
        depth += (c == '(') - (c == ')')
        if depth < 0:
            return False
    return depth == 0


def negate(line, _):
    m = re.fullmatch(r'(\t+(?:\} else )?(?:if|while) \()(.+)(\) \{)', line)
    return f'{m[1]}!({m[2]}){m[3]}' if m and is_balanced(m[2]) else None


def drop(line, before):
    m = re.fullmatch(r'(\t+)(?:\(void\))?(\w+)\((.*)\);', line)
    if m and is_balanced(m[3]) and not NOT_DROPPED.search(m[2]) and re.search(r'[;{}:]$|^$', before):
        return m[1] + '(void)0;'
    return None


def bound(line, _):
    found = re.findall(r' (<=?|>=?) ', line)
    if len(found) == 1 and re.match(r'\t+(\} else )?(if|while|for|return)\b', line) and '"' not in line:
        return line.replace(f' {found[0]} ', f' {BOUNDS[found[0]]} ')
    return None


RULES = {'negate': negate, 'drop': drop, 'bound': bound}


def code_lines(text):
    """(index, line) of what may hold a statement: no comment, no macro."""
    inside = False
    for i, line in enumerate(text.split('\n')):
        opens, stripped = '/*' in line, line.strip()
        if not inside and not opens and not stripped.startswith('#') and not line.endswith('\\'):
            yield i, line
        inside = (inside or opens) and '*/' not in line


def unique_old(lines, i):
    """The line with as many before it as make it stand once in the file."""
    text = '\n'.join(lines)
    for start in range(i, max(-1, i - 8), -1):
        old = '\n'.join(lines[start:i + 1])
        if text.count(old) == 1:
            return start, old
    return None, None


def candidates(path, text):
    """(order, id, rule, old, new), the order being what the seed makes of it."""
    lines = text.split('\n')
    stem = os.path.basename(path).removesuffix('.c').replace('_', '-')
    for i, line in code_lines(text):
        before = lines[i - 1].strip() if i else ''
        for rule, change in RULES.items():
            changed = change(line, before)
            start, old = unique_old(lines, i) if changed else (None, None)
            if old is None:
                continue
            new = '\n'.join([*lines[start:i], changed])
            key = hashlib.sha256('\0'.join((SEED, stem, rule, old)).encode()).hexdigest()
            yield key, f'gen-{stem}-{key[:6]}', rule, old, new


def read_draw(path):
    with open(path, encoding='utf-8') as f:
        for line in f:
            if line.strip() and not line.startswith('#'):
                name, count, *suites = line.split()
                yield name, int(count), suites


def read_equivalent(path):
    """Ids with a reason; a row without one is no row."""
    with open(path, encoding='utf-8') as f:
        return {line.split()[0] for line in f if len(line.split()) > 1 and not line.startswith('#')}


def draw(top, here):
    """(file, suites, id, rule, old, new) of every mutant drawn."""
    equivalent = read_equivalent(os.path.join(here, 'equivalent.list'))
    for name, count, suites in read_draw(os.path.join(here, 'generated.draw')):
        with open(os.path.join(top, name), encoding='utf-8') as f:
            found = sorted(c for c in candidates(name, f.read()) if c[1] not in equivalent)
        if len(found) < count:
            raise ValueError(f'{name} has {len(found)} candidates, not {count}')
        for _, ident, rule, old, new in found[:count]:
            yield name, suites, ident, rule, old, new
