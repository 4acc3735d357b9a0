#!/usr/bin/env python3
"""Makes one table of what .proto files say of their messages and fields.

    notes.py FILE.proto... > notes.gen.def

The comment above a message is its note; of a field it is the comment behind it, which may go on in lines of its own, or
the one above it. Protobuf's descriptors have no comments: so luctl has them for its JSON schema (ctl/cmd/schema.c).
"""
import re
import sys

HEAD = """/*
 * NOTE(message, field, text)
 *
 * Made by proto/control/notes.py. message: with its package; field: "" of the message itself.
 */
"""
FIELD = re.compile(r'\s*(?:repeated |optional )?[\w.]+ (\w+) = \d+(?: \[[^]]*\])?;\s*(?://\s*(.*))?$')


class Reader:
    """One file, a line at a time."""

    def __init__(self):
        self.notes, self.above, self.message, self.field = [], [], '', ''

    def note(self, field, text):
        """What comes behind a field's own comment is added to it."""
        if not text:
            return
        if self.notes and self.notes[-1][:2] == (self.message, field):
            text = self.notes.pop()[2] + ' ' + text
        self.notes.append((self.message, field, text))

    def comment(self, indent, text):
        """Far to the right it belongs to the field before it, else to what comes."""
        if self.field and indent > 4:
            self.note(self.field, text)
        else:
            self.above.append(text)

    def line(self, package, line):
        if found := re.fullmatch(r'( *)// ?(.*)', line):
            return self.comment(len(found.group(1)), found.group(2))
        if found := re.match(r'message (\w+) {', line):
            self.message, self.field = f'{package}.{found.group(1)}', ''
            self.note('', ' '.join(self.above))
        elif re.match(r'enum \w+ {', line):
            self.message = ''
        elif self.message and (found := FIELD.match(line)):
            self.field = found.group(1)
            self.note(self.field, found.group(2) or ' '.join(self.above))
        elif self.message and line.strip() and not re.match(r'\s*(oneof \w+ {|}|reserved )', line):
            sys.exit(f'{self.message}: cannot read `{line.strip()}`')
        self.above = []
        return None


def read(path):
    with open(path, encoding='utf-8') as f:
        text = f.read()
    package = re.search(r'^package (\w+);', text, re.M).group(1)
    reader = Reader()
    for line in text.split('\n'):
        reader.line(package, line)
    return reader.notes


def quoted(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


def main():
    rows = [row for path in sys.argv[1:] for row in read(path)]
    print(HEAD + '\n'.join('NOTE(%s)' % ', '.join(map(quoted, row)) for row in rows))


if __name__ == '__main__':
    main()
