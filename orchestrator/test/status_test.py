#!/usr/bin/env python3
"""The head of `luctl status`: one sentence, then what is wrong, since when, from which source and how old.

Usage: status_test.py BUILD [NAME...]
"""

import contextlib
import os
import re
import sqlite3

import harness


def head(world, *args, code=0):
    return world.luctl('status', *args, code=code, out=True).split('\n')


def amiss(world, kind):
    return [row for row in world.json('status')['overview']['amiss'] if row['kind'] == kind]


def test_well(world):
    """Well is said of machines that were heard from and run everything, and of nothing else."""
    world.start()
    assert head(world)[0].startswith('There is no machine yet: `luctl machine start'), head(world)
    assert world.json('status')['overview']['machines'] == 0 and 'machine' not in world.json('status')
    world.luctl('status', '--machine', 'm', code=3)
    world.kill()
    world.prepare()
    told = head(world)
    assert told[0] == 'Machine m runs what it should; nothing waits.', told
    assert told[1].startswith('machine m is up, since '), told
    assert not world.json('status')['overview']['amiss']
    world.peer.services['ds']['state'] = 'SERVICE_DOWN'
    told = head(world)
    assert told[0] == 'ds on m is down; nothing else is wrong.', told
    assert 'wrong: ds on m is down; the machine says so' in told[1] and 'luctl restart ds' in told[2], told
    assert world.json('status')['overview']['machines_well'] == 0
    world.peer.services['ds'].update(state='SERVICE_RUNNING', layout_kept=True)
    assert 'in the layout that it had' in head(world)[0] and '--layout host' in head(world)[2]


def test_silent(world):
    """A silent machine is the first line, with the time since when; the others do not hide it, nor it them."""
    world.prepare()
    with harness.peer.Peer(os.path.join(world.dir, 'other.sock')) as other:
        other.add_service('ds', world.release_id(world.kits[0]))
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        world.until(lambda: head(world)[0] == 'All 2 machines run what they should; nothing waits.')
        world.peer.awake.clear()
        world.until(lambda: 'silent' in [m['state'] for m in world.json('machine', 'list')['machines']])
        told = head(world, '--machine', 'b')
        assert re.fullmatch(r'm is silent since \d\d:\d\d \(\d+ s\); nothing else is wrong\.', told[0]), told
        assert re.search(r'wrong: m is silent \(.*\) since \d\d:\d\d \(\d+ s\); lud sees it', told[1]), told
        assert 'luctl machine stop m --force' in told[2] and 'machine b is up' in '\n'.join(told)
        row, = amiss(world, 'machine')
        assert row['since_us'] and row['level'] == 'wrong' and row['machine'] == 'm' and row['source'] == 'memory', row
        other.services['ds']['state'] = 'SERVICE_DOWN'
        world.json('status', '--machine', 'b')
        assert head(world)[0].endswith('; 1 more thing is wrong.'), head(world)
        view = world.json('status')['overview']
        assert (view['machines'], view['machines_well'], view['wrong']) == (2, 0, 2), view
        world.peer.awake.set()
        other.services['ds']['state'] = 'SERVICE_RUNNING'
        world.json('status', '--machine', 'b')
        world.until(lambda: head(world)[0] == 'All 2 machines run what they should; nothing waits.')


def test_several(world):
    """Where it is not clear which machine is meant all of them are shown, and no command guesses."""
    world.prepare()
    with harness.peer.Peer(os.path.join(world.dir, 'other.sock')) as other:
        other.add_service('ds', world.release_id(world.kits[0]))
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        world.luctl('machine', 'stop', 'm')  # it is the default one, which goes with it
        world.luctl('machine', 'remove', 'm')
        world.luctl('machine', 'start', 'm', '--attach', world.peer.path)
        world.until(lambda: head(world)[0] == 'All 2 machines run what they should; nothing waits.')
        told = '\n'.join(head(world))
        assert 'luctl machine default' in told and 'up' in told, told
        shown = world.json('status')
        assert {m['name'] for m in shown['machines']} == {'m', 'b'} and 'machine' not in shown
        world.luctl('update', 'ds', code=2)
        world.luctl('machine', 'stop', 'b')
        world.until(lambda: head(world)[0] == '1 of 2 machines runs what it should, 1 stopped by request; nothing waits.')


def test_three(world):
    """Of three machines one is silent and one is lost: neither is shown as well, whichever is the default one, or none is."""
    world.prepare()
    with contextlib.ExitStack() as stack:
        others = {}
        for name in ('b', 'c'):
            others[name] = stack.enter_context(harness.peer.Peer(os.path.join(world.dir, name + '.sock')))
            others[name].add_service('ds', world.release_id(world.kits[0]))
            world.luctl('machine', 'start', name, '--attach', others[name].path)
        world.until(lambda: head(world)[0] == 'All 3 machines run what they should; nothing waits.')
        world.peer.awake.clear()
        others['b'].__exit__()
        stack.callback(world.peer.awake.set)

        def states():
            return {m['name']: m['state'] for m in world.json('machine', 'list')['machines']}
        world.until(lambda: states()['m'] == 'silent' and states()['b'] != 'up', 30)
        for name in ('m', 'c'):
            world.luctl('machine', 'default', name)
            told, view = head(world), world.json('status')['overview']
            assert re.match('[mbc] is silent since ', told[0]), told
            assert view['machines'] == 3 and view['machines_well'] <= 1 <= view['wrong'], view
        # Which one is meant is not clear any more: all of them are listed.
        world.luctl('machine', 'stop', 'c', '--force')
        world.luctl('machine', 'remove', 'c')
        world.luctl('machine', 'start', 'c', '--attach', others['c'].path)
        told = head(world)
        assert re.match('[mbc] is silent since ', told[0]) and 'luctl machine default' in '\n'.join(told), told
        shown = world.json('status')
        assert 'machine' not in shown and shown['overview']['machines_well'] <= 1, shown
        assert {m['name'] for m in shown['machines'] if m['state'] == 'up'} <= {'c'}, shown['machines']
        assert not re.search(r'^[mb] .* up ', '\n'.join(told), re.M), told


def test_work(world):
    """Jobs that wait and holds are told; neither is wrong."""
    world.prepare(2)
    world.luctl('hold', 'ds', '--reason', 'freeze', '--until', '2100-01-01 00:00')
    world.luctl('update', 'ds', '--no-wait')
    world.until(lambda: head(world)[0] == 'Machine m runs what it should; 1 job waits.')
    row = next(line for line in head(world) if line.startswith('ds '))
    assert row.endswith(' waits'), row
    assert re.search(r'note: +ds on m is held \(root.*freeze\) since .* until 2100', head(world)[1]), head(world)
    row, = amiss(world, 'hold')
    assert row['level'] == 'note' and row['ends_us'] and row['source'] == 'record', row
    assert row['remedy'] == '`luctl unhold ds --machine m` takes it away', row
    world.luctl('hold', '--all')
    assert '`luctl unhold --all` takes it away' in [row['remedy'] for row in amiss(world, 'hold')]
    world.luctl('unhold', '--all')
    world.luctl('unhold', 'ds', '--machine', 'm')
    world.json('job', 'show', '1', '--wait')
    assert head(world)[0] == 'Machine m runs what it should; nothing waits.' and not amiss(world, 'hold')


def test_expiries(world):
    """What comes to its end is announced 30, 7 and 1 days ahead, and wrong at the end; without a root nothing is well."""
    world.prepare()
    keys = ['--keys', world.dir + '/keys']
    for days, within, level, said in ((-300, None, '', ''), (-340, 30, 'note', 'nothing waits.'),
                                      (-360, 7, 'soon', 'nothing waits; the signed root comes to its end in 4 days.'),
                                      (-364.5, 1, 'wrong', 'the signed root comes to its end in 11 h; nothing else is wrong.'),
                                      (-400, 0, 'wrong', 'has come to its end 35 days ago; nothing else is wrong.')):
        world.shifted(days, 'keys', 'renew', *keys)
        rows = amiss(world, 'key')
        assert [(r['within_days'], r['level']) for r in rows] == ([(within, level)] if level else []), (days, rows)
        assert said in head(world)[0] and all('luctl keys renew' in r['remedy'] for r in rows), (days, head(world))
    os.rename(world.dir + '/keys/root.signed', world.dir + '/aside')
    assert 'the keyring has no signed root that can be read' in head(world)[0]


def test_many(world):
    """What is wrong is the first line however much there is that is only to be known; what is left out is counted."""
    world.prepare()
    world.kill()
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db:
        for n in range(60):
            db.execute("INSERT INTO rollouts (policy, service, release, state, ring, ring_us, state_us, why, created_us, is_open)"
                       " VALUES (?, 'ds', 1, 2, 0, 1, 1, 'asks for a person', 1, 1)", ('p%d' % n,))
        db.commit()
    world.start()

    def shown():  # of a machine that is up: where the host stands still it is silent for a moment
        view = world.json('status')['overview']
        return len(view['amiss']), view['left_out'], view['wrong'], view['amiss'][0]['level'], view['amiss'][0]['kind']
    world.until(lambda: shown() == (48, 12, 0, 'soon', 'rollout'))
    world.shifted(-400, 'keys', 'renew', '--keys', world.dir + '/keys')
    world.until(lambda: shown() == (48, 13, 1, 'wrong', 'key'))
    world.until(lambda: re.search('signed root has come to its end .*; nothing else is wrong', head(world)[0]))


def test_colour(world):
    """Colours are for terminals, unless somebody says otherwise; what they say is in the words."""
    world.prepare()
    assert '\x1b' not in world.luctl('status') and '\x1b' not in world.luctl('status', '--color', 'never')
    assert '\x1b[32mMachine m' in world.luctl('status', '--color', 'always')
    assert '\x1b[32m' in world.on_terminal('status') and '\x1b[3' not in world.on_terminal('status', NO_COLOR='1')
    assert '\x1b[32m' in world.on_terminal('status', NO_COLOR='')
    assert 'auto, always or never' in world.luctl('status', '--color', 'blue', code=2)
    assert '\x1b' not in world.luctl('status', '--color', 'always', '--json')


harness.main(globals(), 3)
