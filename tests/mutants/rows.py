"""The mutants: rows of text in *.list beside this file, and those that generate.py draws.

    mutant kernel-swap-own        an id of its own
    file osd/kernel/call/do_x.c   what is changed
    suites kernel_core update     who must notice, cheapest first
    why one line: what the guard is for
    - old text, exactly; it must stand in the file once
    + new text, of as many lines as it takes

Lines that start with '#' are remarks, an empty line ends a row.
"""
import os
import re

import generate

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


class Malformed(Exception):
    pass


class Row:
    def __init__(self, area, place):
        self.area, self.place = area, place
        self.id = self.file = self.why = ''
        self.suites, self.old_lines, self.new_lines = [], [], []

    @property
    def old(self):
        return '\n'.join(self.old_lines)

    @property
    def new(self):
        return '\n'.join(self.new_lines)

    def check(self):
        if not (self.id and self.file and self.why and self.suites and self.old_lines):
            raise Malformed(f'{self.place}: a row needs mutant, file, suites, why and old text')
        if self.old == self.new:
            raise Malformed(f'{self.place}: old and new text are the same')

    def count(self, top=TOP):
        """How often the old text stands in the file; a mutant is stale unless that is once."""
        try:
            with open(os.path.join(top, self.file), encoding='utf-8') as f:
                return f.read().count(self.old)
        except FileNotFoundError:
            return 0

    def apply(self, text):
        return text.replace(self.old, self.new, 1)


def read_line(row, line, where):
    if re.match(r'[-+]( |$)', line):
        (row.old_lines if line[0] == '-' else row.new_lines).append(line[2:])
        return
    key, _, value = line.partition(' ')
    if key not in ('mutant', 'file', 'suites', 'why'):
        raise Malformed(f'{where}: what is "{line}"?')
    setattr(row, 'id' if key == 'mutant' else key, value.split() if key == 'suites' else value.strip())


def read_list(path):
    area = os.path.basename(path).removesuffix('.list')
    rows, row = [], None
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip('\n')
            if line.startswith('#'):
                continue
            if not line:
                row = None
                continue
            if row is None:
                row = Row(area, f'{os.path.basename(path)}:{number}')
                rows.append(row)
            read_line(row, line, f'{path}:{number}')
    return rows


def read_drawn(where):
    for name, suites, ident, rule, old, new in generate.draw(TOP, where):
        row = Row('generated', f'generated.draw: {name}')
        row.id, row.file, row.suites, row.why = ident, name, suites, f'drawn: {rule}'
        row.old_lines, row.new_lines = old.split('\n'), new.split('\n')
        yield row


def read_all(where=HERE):
    rows = []
    for name in sorted(os.listdir(where)):
        if name.endswith('.list') and name != 'equivalent.list':
            rows += read_list(os.path.join(where, name))
    try:
        rows += read_drawn(where)
    except (FileNotFoundError, ValueError) as e:
        raise Malformed(f'generated.draw: {e}') from e
    seen = set()
    for row in rows:
        row.check()
        if row.id in seen:
            raise Malformed(f'{row.place}: there is another mutant {row.id}')
        seen.add(row.id)
    return rows
