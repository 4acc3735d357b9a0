#!/usr/bin/env python3
"""rank_test.py CLANG ROOT: what the compiler refuses of the stubs that .def files make.

Compiles small clients with the ranks that the build passes: a call that blocks is refused where the caller's
rank is not below its server's, at the call and not at the include; and a request that must not be asked twice
has no function that does so. Then every .def is read: numbers without gaps, and sendrec or send by hand nowhere
but in suites.
"""

import pathlib
import re
import subprocess
import sys

CLANG, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
RANKS = ['-DRANK_vm=255', '-DRANK_ds=100', '-DRANK_tty=110', '-DRANK_virtio_console=120', '-DRANK_assist=90']
UPWARD = 'a blocking request goes to a service of higher rank only'


def compile_client(rank, header, body):
    """What the compiler says of a client of this rank; '' if it takes the program."""
    source = '#include "osd/lib/request/%s.h"\nvoid f(endpoint_t to);\nvoid f(endpoint_t to)\n{\n\t%s\n}\n' % (header, body)
    done = subprocess.run(
        [CLANG, '-x', 'c', '-std=gnu17', '-fsyntax-only', '-Wall', '-Wextra', '-Wno-unused-parameter',
         '-mno-red-zone', '-I', ROOT, '-DSERVICE_RANK=%d' % rank, *RANKS, '-'],
        input=source, capture_output=True, text=True)
    return '' if done.returncode == 0 else done.stderr


def expect(rank, header, body, refusal):
    said = compile_client(rank, header, body)
    if (refusal is None) != (said == '') or (refusal and refusal not in said):
        sys.exit('rank %d, %s: expected %s, the compiler said:\n%s' % (rank, body, refusal or 'no error', said))


def ranks():
    expect(99, 'ds', '(void)ds_count(to);', None)
    expect(100, 'ds', '(void)ds_count(to);', UPWARD)
    expect(101, 'ds', '(void)ds_publish(to, (struct ds_request){0});', UPWARD)
    expect(101, 'ds', '(void)ds_count_retry(to);', UPWARD)
    expect(101, 'ds', '(void)to;', None)
    expect(101, 'ds', '(void)ds_changed(to, (struct ds_change_event){0});', None)
    expect(254, 'vm', '(void)vm_space_new(to);', None)
    expect(255, 'vm', '(void)vm_space_new(to);', UPWARD)
    expect(119, 'chardev', '(void)chardev_open(to);', None)
    expect(120, 'chardev', '(void)chardev_read(to, (struct chardev_request){0});', UPWARD)
    expect(255, 'tty', '(void)tty_log(to, (struct tty_text){0});', None)
    expect(95, 'assist', '(void)assist_hold(to);', UPWARD)


def repeats():
    expect(60, 'chardev', '(void)chardev_open_retry(to);', None)
    expect(60, 'chardev', '(void)chardev_read_retry(to, (struct chardev_request){0});', 'chardev_read_retry')
    expect(60, 'vm', '(void)vm_space_new_retry(to);', 'vm_space_new_retry')


def numbers():
    for path in sorted((ROOT / 'osd' / 'abi').glob('*.def')):
        rows = re.findall(r'^REQUEST\((\w+), (\w+), (\w+), (\w+), (\d+), (\w+), (\w+), (\w+), (\w+),$',
                          path.read_text(), re.M)
        if path.read_text().count('\nREQUEST(') != len(rows):
            sys.exit('%s: a row of another form' % path)
        if [int(row[4]) for row in rows] != list(range(1, len(rows) + 1)):
            sys.exit('%s: numbers must count from 1 without gaps' % path)


# The calls that wait, by every name that reaches them: also in a pointer, and as numbers.
BLOCKING = re.compile(r'\b(sys_send(rec)?|sys_ipc(_out)?|KCALL_send(rec)?)\b')
FREE = re.compile(r'^osd/(suites|kernel|arch|lib/sys|lib/request)/|/(test|fuzz)/|_test\.c$')


def by_hand():
    """Messages that block are sent by stubs; suites provoke errors, and may send what they like."""
    for line in 'sys_sendrec(to, &msg)', 'send = sys_send;', 'sys_ipc(KCALL_sendrec, to, &msg)', '[KCALL_send] = 1,':
        if not BLOCKING.search(line):
            sys.exit('%s: passes for no blocking send' % line)
    if BLOCKING.search('sys_asend(to, &msg)'):
        sys.exit('an asynchronous send passes for a blocking one')
    for path in sorted((ROOT / 'osd').rglob('*.[ch]')):
        name = str(path.relative_to(ROOT))
        if not FREE.search(name) and BLOCKING.search(path.read_text()):
            sys.exit('%s: a blocking send by hand; use the stub of osd/lib/request, which checks ranks' % name)


ranks()
repeats()
numbers()
by_hand()
