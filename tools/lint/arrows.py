"""Who may include whom: the table tools/lint/deps, one row a room, and the private headers.

A *room* is a directory with code. Its `test` and `fuzz` directories belong to it; a release of the
tests (tests/releases/NAME/PATH) is an overlay of the tree and belongs to the room of PATH. The rule
is checked on the text of the files, not on what a compiler resolved, so that an #include which only
a search path could explain is a finding itself:

  arrow     a room includes a room that its row does not name
  room      a directory has code and no row, a row has no directory, or a room has no README.md
  private   priv.h of another room
  path      an #include with "..", with a name that is not there, or with a macro; a file of ours in <>
  extern    a .c declares what belongs into a header
  cycle     rooms that include each other, by whatever way

Python modules of ours are arrows too. Functions return findings as (rule, where, text).
"""
import collections
import os
import re

CODE = ('.c', '.h', '.S', '.def', '.proto')
INSIDE = {'test', 'fuzz'}
INCLUDE = re.compile(r'^\s*#\s*include\s+(\S+)', re.M)
SCHEMA_IMPORT = re.compile(r'^\s*import\s+(?:public\s+)?(\S+?);', re.M)
IMPORT = re.compile(r'^\s*(?:import|from)\s+(\w+)', re.M)
# A linker's symbol has no header; everything else that is declared extern has one.
EXTERN = re.compile(r'^extern\s+(?!const char \w+\[\]|char \w+\[\])(.*)', re.M)


def is_python(path, text):
    return path.endswith('.py') or text.startswith('#!/usr/bin/env python3')


def overlay(path):
    """The path as it stands in the tree that a release overlays."""
    m = re.match(r'tests/releases/[^/]+/(.+)', path)
    return m.group(1) if m and '/' in m.group(1) else path


def room(directory):
    """The room that a directory belongs to."""
    parts = directory.split('/')
    while len(parts) > 1 and parts[-1] in INSIDE:
        parts.pop()
    return '/'.join(parts)


def read_table(lines):
    """{room: (rooms it may include, generated names it may include without a directory)}"""
    table = {}
    for line in lines:
        source, _, targets = line.partition('->')
        words = targets.split()
        table[source.strip()] = ({w for w in words if not w.startswith('=')},
                                 {w[1:] for w in words if w.startswith('=')})
    return table


class Tree:
    """The files of a tree and its table of arrows."""

    def __init__(self, texts, table):
        self.texts, self.table = texts, table
        self.directories = {os.path.dirname(p) for p in texts}
        self.modules = collections.defaultdict(set)
        for path in texts:
            if path.endswith('.py'):
                self.modules[os.path.basename(path)[:-3]].add(os.path.dirname(path))
        self.edges = collections.defaultdict(set)
        self.findings = []

    def find(self, rule, where, text):
        self.findings.append((rule, where, text))

    def row(self, directory):
        """The row that decides for a directory: its own, or that of its room."""
        return directory if directory in self.table else room(directory)

    def arrow(self, path, home, target):
        """One arrow between directories."""
        source, goal = self.row(home), self.row(target)
        if room(home) == room(target):
            return
        if not self.table.get(source, (set(), set()))[0] & {goal, room(target)}:
            self.find('arrow', path, f'{source} -> {goal} is not in tools/lint/deps')
        self.edges[room(home)].add(room(target))

    def include(self, path, word):
        home = os.path.dirname(overlay(path))
        name = word.strip('"<>')
        if word[0] not in '"<':
            self.find('path', path, f'#include {word}: name the file')
        elif word[0] == '<':
            if name in self.texts:
                self.find('path', path, f'<{name}> is ours: "{name}"')
        elif '..' in name.split('/'):
            self.find('path', path, f'"{name}": name it from the top')
        elif '/' not in name:
            generated = self.table.get(self.row(home), (set(), set()))[1]
            if name not in generated and not {f'{d}/{name}' for d in (home, os.path.dirname(path))} & set(self.texts):
                self.find('path', path, f'"{name}" is neither beside it nor a generated name of its row')
        elif name not in self.texts and not name.endswith(('.pb-c.h', '.gen.def')):
            self.find('path', path, f'"{name}" is not in the tree')
        else:
            self.private(path, home, name)
            self.arrow(path, home, os.path.dirname(name))

    def private(self, path, home, name):
        if os.path.basename(name) == 'priv.h' and room(os.path.dirname(name)) != room(home):
            self.find('private', path, f'"{name}" belongs to {room(os.path.dirname(name))} only')

    def import_module(self, path, module):
        homes = self.modules.get(module, set())
        home = os.path.dirname(overlay(path))
        if homes and home not in homes and len(homes) == 1:
            self.arrow(path, home, next(iter(homes)))

    def check_rows(self):
        rooms = {os.path.dirname(overlay(p)) for p, t in self.texts.items() if p.endswith(CODE) or is_python(p, t)}
        rooms = {r for r in rooms if r}
        for directory in sorted(rooms):
            if self.row(directory) not in self.table:
                self.find('room', directory, 'has code and no row in tools/lint/deps')
        rooms |= {room(r) for r in rooms}
        for directory in sorted(rooms):
            if directory == room(directory) and f'{directory}/README.md' not in self.texts:
                self.find('room', directory, 'has no README.md')
        for source in sorted(set(self.table) - rooms):
            self.find('room', source, 'a row of tools/lint/deps without code')
        for source in sorted(self.table):
            for target in sorted(self.table[source][0] - rooms):
                self.find('room', source, f'its row names {target}, which has no code')

    def check_cycles(self):
        done, path = set(), []

        def walk(node):
            if node in path:
                self.find('cycle', node, ' -> '.join(path[path.index(node):] + [node]))
            elif node not in done:
                path.append(node)
                for target in sorted(self.edges.get(node, ())):
                    walk(target)
                path.pop()
                done.add(node)

        for node in sorted(self.edges):
            walk(node)

    def check_unused(self):
        used = collections.defaultdict(set)
        for source, targets in self.edges.items():
            used[source] |= targets
        for source, (targets, _) in sorted(self.table.items()):
            for target in sorted(targets):
                if room(target) not in used[room(source)]:
                    self.find('arrow', 'tools/lint/deps', f'nothing needs {source} -> {target} any more')


def collect(tree):
    """What each file of the tree includes."""
    for path, text in sorted(tree.texts.items()):
        if path.endswith(CODE):
            for word in (SCHEMA_IMPORT if path.endswith('.proto') else INCLUDE).findall(text):
                tree.include(path, word)
        if path.endswith('.c'):
            for rest in EXTERN.findall(text):
                tree.find('extern', path, f'extern {rest}')
        if is_python(path, text):
            for module in IMPORT.findall(text):
                tree.import_module(path, module)


def check(texts, table):
    """Findings of a tree; texts: {path: text} of its files, table: of read_table."""
    tree = Tree(texts, table)
    collect(tree)
    tree.check_rows()
    tree.check_cycles()
    tree.check_unused()
    return tree.findings
