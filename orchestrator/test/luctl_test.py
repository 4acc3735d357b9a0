#!/usr/bin/env python3
"""luctl: its command line, and requests that lud refuses.

Usage: luctl_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import os

import harness

USAGE = [
    ([], 'usage'),
    (['explode'], 'no command `explode`'),
    (['update'], 'usage: luctl update'),
    (['update', 'a', 'b'], 'usage: luctl update'),
    (['update', 'ds', '--force'], 'not an option'),
    (['update', 'ds', '--timeout', '5'], '50ms, 5s'),
    (['update', 'ds', '--timeout', '0s'], '50ms, 5s'),
    (['rollback', 'ds', '--to', 'x'], 'whole number'),
    (['rollback', 'ds', '--to'], 'usage: luctl rollback'),
    (['rerandomize'], 'give --all'),
    (['rerandomize', 'ds', '--all'], 'not both'),
    (['show', 'ds'], 'luctl show ds 5'),
    (['show', 'ds', '-3'], 'not an option'),
    (['update', 'ds', '--machine', 'm', '--machine', 'm'], 'given twice'),
    (['release', 'list', '--json', '--json'], 'given twice'),
    (['machine'], 'no command'),
    (['machine', 'jump'], 'no command'),
    (['history', '--limit', '0'], 'whole number'),
]


def test_luctl(world):
    """Every wrong command line is refused with what is right; no lud is a clear answer."""
    for args, said in USAGE:
        told = world.luctl(*args, code=2)
        assert said in told, (args, told)
    assert 'start lud' in world.luctl('status', code=3)
    assert 'keys already' in world.luctl('keys', 'init', '--keys', world.dir + '/keys', code=8)
    assert 'keys init' in world.luctl('keys', 'list', '--keys', world.dir + '/none', code=8)
    roles = world.json('keys', 'list', '--keys', world.dir + '/keys')
    assert [r['role'] for r in roles] == ['root', 'release', 'variant', 'order', 'control',
                                          'audit']
    assert all(r['usable'] for r in roles)


def test_rejections(world):
    """What lud itself says no to names the thing and the way out."""
    world.start()
    assert 'luctl machine start' in world.luctl('update', 'ds', code=4)
    world.kill()
    world.prepare()
    os.makedirs(world.state + '/machines', exist_ok=True)
    os.mkdir(world.dir + '/elsewhere')  # lud looks into no directory that is no machine's
    os.mkfifo(world.dir + '/elsewhere/qemu.pid')
    for args, said in ((['update', 'nix'], 'no service nix'),
                       (['update', 'rs'], 'cannot be updated'),
                       (['update', 'ds', '--release', 'ffff'], 'luctl release list'),
                       (['update', 'ds', '--machine', 'x'], 'there are: m'),
                       (['rollback', 'ds'], 'no-generation'),
                       (['show', 'ds', '9'], 'luctl history'),
                       (['machine', 'start', 'a b'], 'letters'),
                       (['machine', 'start', '../../elsewhere'], 'letters'),
                       (['machine', 'start', '../../elsewhere', '--attach', world.dir + '/s'], 'letters'),
                       (['machine', 'start', 'new'], 'luctl release add')):
        code = 1 if said == 'luctl release add' else 4
        told = world.luctl(*args, code=code)
        assert said in told, (args, told)


harness.main(globals(), 2)
