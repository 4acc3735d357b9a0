#!/usr/bin/env python3
"""Makes one table of the requests of the control protocol from control.proto.

    requests.py CONTROL.PROTO > requests.gen.def

Each request in the body of `Request` ends with a comment that says what both programs must know of it:

    UpdateRequest update = 12; // -> job; machine; changes; operator on machine

- behind the arrow, the kinds of answer: one or two fields of `Reply` ("machines or job"). An error may always come.
- `machine`: the request names a machine that must be spoken with; one that is still connecting is waited for.
- `changes`: it changes something that must be recorded, and is refused while nothing can be.
- the role that it needs, a row of proto/words/access.def, and on what: `machine` and `job`, those that the request
  names (no name: the one that is meant then); `everything`: every machine, and what is about none; `what is seen`: the
  role anywhere is enough, and only what may be seen is shown. `A or B`: A where the request names one;
  `machine unless FIELD`, `machine if FIELD`: everything where the field is set, or is not. A request that is about nothing
  fails the build.
- `local`, `local with FIELD`: it is about files or processes of lud's host, always or where the field is set, and nobody
  can ask for it from elsewhere.

lud makes its rules from the table (orchestrator/control/request.c), luctl what it accepts as an answer (ctl/client/reply.c).
A request without a comment, a kind of answer that `Reply` does not have, or an unknown word fails the build.
"""
import re
import sys

HEAD = """/*
 * REQUEST(NAME, name, ANSWER, OTHER, machine, effect, ROLE, ABOUT, PLACE)
 *
 * Made by proto/control/requests.py from control.proto. name: the field of Request; ANSWER and OTHER: fields of
 * Reply, OTHER is _NOT_SET for requests with one kind of answer; machine: NAMED or ANY; effect: CHANGES or READS;
 * ROLE: of proto/words/access.def; ABOUT: on what it is needed, EVERYTHING(name), SEEN(name), MACHINE(name), JOB(name),
 * JOB_OR_MACHINE(name), MACHINE_OR_SEEN(name), MACHINE_IF(name, field), MACHINE_UNLESS(name, field); PLACE: from where
 * it may be asked for, ANYWHERE, LOCAL or LOCAL_WITH(name, field).
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


FORM = re.compile(r'-> (\w+)(?: or (\w+))?(; machine)?(; changes)?; ([a-z-]+) on ([a-z _]+?)(; local(?: with (\w+))?)?')
ABOUT = {'everything': 'EVERYTHING', 'what is seen': 'SEEN', 'machine': 'MACHINE', 'job': 'JOB',
         'job or machine': 'JOB_OR_MACHINE', 'machine or what is seen': 'MACHINE_OR_SEEN'}


def subject(name, words):
    """What the role is needed on, as a call of a macro."""
    found = re.fullmatch(r'machine (if|unless) (\w+)', words)
    if found:
        return f'MACHINE_{found.group(1).upper()}({name}, {found.group(2)})'
    if words not in ABOUT:
        sys.exit(f'Request.{name}: nothing is known as `{words}`: {", ".join(ABOUT)}, machine if FIELD, machine unless FIELD')
    return f'{ABOUT[words]}({name})'


def row(name, comment, answers):
    found = FORM.fullmatch(comment)
    if not found:
        sys.exit(f'Request.{name}: expected `-> ANSWER [or ANSWER][; machine][; changes]; ROLE on WHAT[; local]`, '
                 f'found `{comment}`')
    first, other, machine, changes, role, about, local, field = found.groups()
    for answer in (first, other):
        if answer and answer not in answers:
            sys.exit(f'Request.{name}: Reply has no `{answer}`')
    other = other.upper() if other else '_NOT_SET'
    place = f'LOCAL_WITH({name}, {field})' if field else 'LOCAL' if local else 'ANYWHERE'
    return (f'REQUEST({name.upper()}, {name}, {first.upper()}, {other}, '
            f'{"NAMED" if machine else "ANY"}, {"CHANGES" if changes else "READS"}, '
            f'{role.upper().replace("-", "_")}, {subject(name, about)}, {place})')


def main():
    with open(sys.argv[1]) as f:
        text = f.read()
    answers = {name for name, _ in body(text, 'Reply')}
    print(HEAD + '\n'.join(row(name, comment, answers) for name, comment in body(text, 'Request')))


if __name__ == '__main__':
    main()
