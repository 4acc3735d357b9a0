#!/usr/bin/env python3
"""Makes one table of the requests of the control protocol from control.proto.

    requests.py CONTROL.PROTO > requests.gen.def

Each request in the body of `Request` ends with a comment that says what both programs must know of it:

    UpdateRequest update = 12; // -> job; machine; changes; operator

- behind the arrow, the kinds of answer: one or two fields of `Reply` ("machines or job"). An error may always come.
- `machine`: the request names a machine that must be spoken with; one that is still connecting is waited for.
- `changes`: it changes something that must be recorded, and is refused while nothing can be.
- last, the role that it needs, a row of proto/words/access.def; a request without one fails the build.

lud makes its rules from the table (orchestrator/control/request.c), luctl what it accepts as an answer (ctl/client/reply.c).
A request without a comment, a kind of answer that `Reply` does not have, or an unknown word fails the build.
"""
import re
import sys

HEAD = """/*
 * REQUEST(NAME, name, ANSWER, OTHER, machine, effect, ROLE)
 *
 * Made by proto/control/requests.py from control.proto. name: the field of Request; ANSWER and OTHER: fields of
 * Reply, OTHER is _NOT_SET for requests with one kind of answer; machine: NAMED or ANY; effect: CHANGES or READS;
 * ROLE: of proto/words/access.def.
 */
"""
FIELD = re.compile(r'\s*[\w.]+ (\w+) = \d+;\s*(?://\s*(.*))?$')


def body(text, message):
    """Yields (field, comment) of the message's oneof."""
    start = text.index('oneof body {', text.index(f'\nmessage {message} {{'))
    for line in text[start:text.index('}', start)].split('\n')[1:]:
        found = FIELD.match(line)
        if found:
            yield found.group(1), (found.group(2) or '').strip()
        elif line.strip():
            sys.exit(f'{message}: cannot read `{line.strip()}`')


def row(name, comment, answers):
    found = re.fullmatch(r'-> (\w+)(?: or (\w+))?(; machine)?(; changes)?; ([a-z-]+)', comment)
    if not found:
        sys.exit(f'Request.{name}: expected `-> ANSWER [or ANSWER][; machine][; changes]; ROLE`, found `{comment}`')
    first, other, machine, changes, role = found.groups()
    for answer in (first, other):
        if answer and answer not in answers:
            sys.exit(f'Request.{name}: Reply has no `{answer}`')
    other = other.upper() if other else '_NOT_SET'
    return (f'REQUEST({name.upper()}, {name}, {first.upper()}, {other}, '
            f'{"NAMED" if machine else "ANY"}, {"CHANGES" if changes else "READS"}, '
            f'{role.upper().replace("-", "_")})')


def main():
    with open(sys.argv[1]) as f:
        text = f.read()
    answers = {name for name, _ in body(text, 'Reply')}
    print(HEAD + '\n'.join(row(name, comment, answers) for name, comment in body(text, 'Request')))


if __name__ == '__main__':
    main()
