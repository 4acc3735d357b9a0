#!/usr/bin/env python3
"""luctl: its command line, and requests that lud refuses.

Usage: luctl_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import json
import os

import harness

USAGE = [
    ([], 'usage'),
    (['explode'], 'no command `explode`'),
    (['update'], 'usage: luctl update'),
    (['restart', 'a', 'b'], 'usage: luctl restart'),
    (['update', 'ds', '--override', 'window,gate', '--reason', 'x'], 'between: window hold rollout block'),
    (['update', 'ds', '--force'], 'not an option'),
    (['update', 'ds', '--timeout', '5'], '50ms, 5s'),
    (['update', 'ds', '--timeout', '0s'], '50ms, 5s'),
    (['rollback', 'ds', '--to', 'x'], 'whole number'),
    (['rollback', 'ds', '--to'], 'usage: luctl rollback'),
    (['rerandomize'], 'give --all'),
    (['rerandomize', 'ds', '--all'], 'not both'),
    (['rerandomize', 'ds', '--every', '20s', '--scheduled'], 'one of them'),
    (['rerandomize', '--every', 'off', '--scheduled'], 'one of them'),
    (['show', 'ds'], 'luctl show ds 5'),
    (['show', 'ds', '-3'], 'not an option'),
    (['update', 'ds', '--machine', 'm', '--machine', 'm'], 'given twice'),
    (['release', 'list', '--json', '--json'], 'given twice'),
    (['machine'], 'luctl machine show NAME'),
    (['watch', '-m', 'm'], '--machine: not an option of `luctl watch`'),
    (['watch', '--explode'], '--explode: not an option'),
    (['machine', 'jump'], 'no command `machine jump`, but these'),
    (['jump'], '`luctl --help` lists all'),
    (['history', '--limit', '0'], 'whole number'),
]


def test_luctl(world):
    """Every wrong command line is refused with what is right; no lud is a clear answer."""
    for args, said in USAGE:
        told = world.luctl(*args, code=2)
        assert said in told, (args, told)
    assert world.luctl('jump', code=2).count('\n') == 2  # what was wrong stays in sight
    assert 'start lud' in world.luctl('status', code=8)
    told = world.luctl('db', 'check', world.dir + '/none', code=1)
    assert told.startswith('luctl: %s/none: it cannot be read' % world.dir) and '\n       see that it is there' in told, told
    assert 'keys already' in world.luctl('keys', 'init', '--keys', world.dir + '/keys', code=7)
    assert 'keys init' in world.luctl('keys', 'list', '--keys', world.dir + '/none', code=7)
    roles = world.json('keys', 'list', '--keys', world.dir + '/keys')['keys']
    assert [r['role'] for r in roles] == ['root', 'release', 'variant', 'order', 'control',
                                          'audit']
    assert all(r['usable'] for r in roles)


def test_rejections(world):
    """What lud itself says no to names the thing and the way out."""
    world.start()
    assert 'luctl machine start' in world.luctl('update', 'ds', code=3)
    world.kill()
    world.prepare()
    os.makedirs(world.state + '/machines', exist_ok=True)
    os.mkdir(world.dir + '/elsewhere')  # lud looks into no directory that is no machine's
    os.mkfifo(world.dir + '/elsewhere/qemu.pid')
    for code, args, said in ((3, ['update', 'nix'], 'no service nix'),
                             (4, ['update', 'rs'], 'cannot be updated'),
                             (4, ['update', 'rs'], 'a start of the machine takes the newest release'),
                             (3, ['rerandomize', 'nix'], 'luctl: nix: the machine has no service nix'),
                             (3, ['update', 'ds', '--release', 'ffff'], 'luctl release list'),
                             (3, ['update', 'ds', '--machine', 'x'], 'there are: m'),
                             (3, ['rollback', 'ds'], 'no-generation'),
                             (3, ['show', 'ds', '9'], 'luctl history'),
                             (2, ['machine', 'start', 'a b'], 'letters'),
                             (2, ['machine', 'start', '../../elsewhere'], 'letters'),
                             (2, ['machine', 'start', '../../elsewhere', '--attach', world.dir + '/s'], 'letters'),
                             (3, ['machine', 'start', 'new'], 'luctl release add')):
        told = world.luctl(*args, code=code)
        assert said in told, (args, told)


def test_release_without_lud(world):
    """What makes releases says that lud is not there before it looks at the source, and builds."""
    build = os.path.join(world.dir, 'tree')
    os.makedirs(build + '/meson-info')
    open(build + '/build.ninja', 'w').close()
    with open(build + '/meson-info/meson-info.json', 'w', encoding='ascii') as f:
        json.dump({'directories': {'source': world.dir + '/nowhere'}}, f)
    words = '--build', build, '--keys', world.dir + '/keys'
    for verb in (['release', 'new', 'ds'], ['dev', 'ds']):
        assert 'cannot reach lud' in world.luctl(*verb, *words, code=8), verb
    world.luctl('release', 'new', 'ds', '--offline', *words, code=1)
    world.start()
    for verb in (['release', 'new', 'ds'], ['dev', 'ds']):
        assert 'cannot reach lud' not in world.luctl(*verb, *words, code=1), verb


def test_job_show(world):
    """One job by its number, in words and with its steps; what became of it is no failure of the command."""
    world.prepare()
    world.json('update', 'ds')
    shown = world.json('job', 'show', '1')
    assert shown['id'] == 1 and shown['state'] == 'confirmed' and shown['steps'], shown
    assert 'ds: update confirmed (job 1' in world.luctl('job', 'show', '1')
    world.peer.faults['refuse_kit'] = 1
    world.luctl('update', 'ds', '--layout', 'machine', code=7)
    assert world.json('job', 'show', '2')['state'] == 'refused'
    assert world.json('job', 'list')['jobs'] == world.json('jobs')['jobs'] and len(world.json('job', 'list')['jobs']) == 2
    assert 'no job 3' in world.luctl('job', 'show', '3', code=3)
    assert 'no number of a job' in world.luctl('job', 'show', 'ds', code=2)


harness.main(globals(), 2)
