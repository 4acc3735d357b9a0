"""RESULT.md: what became of every mutant, kept from run to run.

A row's result stands there until the row is run again, with the commit of that run; it is dropped when the row has gone
or its mutant is another one now, as its check word tells. So rows that were never run, or not as they are, are named.
"""
import hashlib
import os
import re
import textwrap

import rows

PATH = os.path.join(rows.HERE, 'RESULT.md')
LINE = re.compile(r'\| ([a-z0-9-]+) \| ([0-9a-f]{8}) \| ([^|]*) \| (killed|survived): ([^|]*) \|')
HEAD = '''# What the runs of the mutants found

`tests/mutants/run` keeps this page. Every row has the commit it was run on ("+": with changes to it) and the check word of its text then; what is not
below was not run as it is now. "Weak": killed by a hang or a dead machine.
'''
HOW_MAX, WIDTH = 160, 150


def word(row):
    """Knows a mutant by what it does; its file may move."""
    return hashlib.sha256(f'{row.old}\0{row.new}'.encode()).hexdigest()[:8]


def read(all_rows):
    """Id -> (commit, what, how) of each row that was run as it is now."""
    words = {r.id: word(r) for r in all_rows}
    found = {}
    if os.path.exists(PATH):
        with open(PATH, encoding='utf-8') as f:
            for name, its_word, on, what, how in (m.groups() for m in map(LINE.match, f) if m):
                if words.get(name) == its_word:
                    found[name] = (on.strip(), what, how.strip())
    return found


def summary(all_rows, found):
    yield '| list | rows | run | killed | of them weakly | survived |'
    yield '|---|---|---|---|---|---|'
    for area in [*sorted({r.area for r in all_rows}), 'all']:
        ids = [r.id for r in all_rows if area in (r.area, 'all')]
        ran = [found[i] for i in ids if i in found]
        killed = [how for _, what, how in ran if what == 'killed']
        yield (f'| {area} | {len(ids)} | {len(ran)} | {len(killed)} | {sum("weak: " in how for how in killed)} | '
               f'{len(ran) - len(killed)} |')


def write(all_rows, found):
    survived = [r for r in all_rows if r.id in found and found[r.id][1] == 'survived']
    missing = [f'`{r.id}`' for r in all_rows if r.id not in found]
    lines = [HEAD, *summary(all_rows, found), '']
    lines += [f'- Survived: `{r.id}`, {r.why}.' for r in survived] or ['- None survived.']
    lines += textwrap.wrap(f'- Not run: {", ".join(missing)}.' if missing else '- All were run.', WIDTH, break_on_hyphens=False,
                           subsequent_indent='  ')
    lines += ['', '| mutant | word | commit | what became of it |', '|---|---|---|---|']
    for row in all_rows:
        if row.id in found:
            on, what, how = found[row.id]
            lines.append(f'| {row.id} | {word(row)} | {on} | {what}: {how} |')
    with open(PATH, 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines) + '\n')


def add(all_rows, results):
    """Put the results of a run in; what did not build or apply is none."""
    found = read(all_rows)
    for name, (on, what, how) in results.items():
        found.pop(name, None)
        if what in ('killed', 'survived'):
            how = re.sub(r'/[^\s\'"]*/mutants/\d+/', '', how)  # where the copy of this run lies
            found[name] = (on, what, re.sub(r'\s+', ' ', how).replace('|', '/')[:HOW_MAX].strip())
    write(all_rows, found)
