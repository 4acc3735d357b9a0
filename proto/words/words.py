"""Reads the tables of this directory, and others of the same form (osd/abi/calls.def), for tools and tests.

A table is a `.def` file of rows NAME(field, ...). A field is a word, a number or a string; strings that follow each
other are one, as in C; what stands in parentheses of its own is one field, as it is written. Comments and lines of
the preprocessor are no rows.
"""
import re

FIELD = re.compile(r'"((?:[^"\\]|\\.)*)"|([A-Za-z0-9_+-]+)|([(),])|\s+')


def blank(text):
    """The text without comments and preprocessor lines; what is left stands where it stood."""
    def spaces(found):
        return re.sub(r'[^\n]', ' ', found.group())
    text = re.sub(r'/\*.*?\*/', spaces, text, flags=re.S)
    return re.sub(r'^#(?:.*\\\n)*.*$', spaces, text, flags=re.M)


def rows_at(text, macro):
    """Yields (offset, [field, ...]) of each row in a text that blank() has cleaned."""
    for start in re.finditer(r'\b%s\(' % macro, text):
        at, fields, current = start.end(), [], ''
        while True:
            found = FIELD.match(text, at)
            if not found:
                raise ValueError('%s: cannot read row at %r' % (macro, text[at:at + 40]))
            at = found.end()
            if found.group(3) == '(':
                current += text[at:text.index(')', at)]
                at = text.index(')', at) + 1
            elif found.group(3) == ')':
                yield start.start(), fields + [current]
                break
            elif found.group(3) == ',':
                fields.append(current)
                current = ''
            else:
                current += found.group(1) or found.group(2) or ''


def rows(path, macro):
    """The rows of one macro in a file, in their order, each as its fields."""
    with open(path) as f:
        return [fields for _, fields in rows_at(blank(f.read()), macro)]


def told(path, macro):
    """[(fields, [cell, ...])]: the rows of a macro with the comment below each, which is cut at every `|`."""
    with open(path) as f:
        text = f.read()
    result = []
    for at, fields in rows_at(blank(text), macro):
        comment = re.match(r'[^\n]*\n\s*/\*(.*?)\*/', text[at:], re.S)
        if not comment:
            raise ValueError('%s: %s has no comment' % (path, fields[0]))
        cells = re.sub(r'\s*\n\s*\*\s*', ' ', comment.group(1)).split('|')
        result.append((fields, [cell.strip() for cell in cells]))
    return result


def errors(path):
    """{name: row} of errors.def, a row as {value, class, by, sentence, remedy}."""
    keys = ('value', 'class', 'by', 'sentence', 'remedy')
    found = [fields[2:8] for fields in rows(path, 'REASON')] + rows(path, 'ERR')
    table = {fields[0]: dict(zip(keys, [int(fields[1]), *fields[2:]])) for fields in found}
    return dict(sorted(table.items(), key=lambda item: -item[1]['value']))
