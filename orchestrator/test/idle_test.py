#!/usr/bin/env python3
"""What lud does while nobody waits: layouts measured and made ahead; and the key that layouts are sealed under.

Usage: idle_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import glob
import hashlib
import os
import shutil
import signal
import sqlite3
import struct
import subprocess

import harness
from harness import fill, formats, holds


def test_entropy(world):
    """What layouts protect is measured once for a release, told of those that run, and kept."""
    world.prepare(2)
    world.luctl('update', 'ds')
    answer = world.json('entropy')
    ds, = [s for s in answer['services'] if s['service'] == 'ds']
    assert not answer['stale'] and ds['release_id'] == world.release_id(world.kits[-1]).hex(), answer
    assert ds['recipe'] == formats.RECIPE, ds
    rows = {(r['given'], r['left']): r for r in ds['rows']}
    assert rows['text', 'stack']['theory'] > 24 and not rows['text', 'stack']['measured'], ds
    assert ds['payload_ratio'] > 1 and ds['pieces'] == 1 and ds['variants'] > 1000
    # A release that was never registered has no kit to measure.
    assert all('not registered' in s['text'] for s in answer['services'] if s is not ds)
    kept = os.path.join(world.state, 'releases')
    os.rename(kept, kept + '.away')
    assert world.json('entropy', 'ds')['services'] == [ds]
    assert 'given' in world.luctl('entropy', 'ds').lower()
    os.rename(kept + '.away', kept)
    assert 'no service' in world.luctl('entropy', 'nobody', code=3)
    # Another machine's word is not asked for: what it said last counts, and the answer says so.
    world.luctl('machine', 'stop', 'm')
    answer = world.json('entropy', 'ds')
    assert answer['services'] == [ds] and answer['stale'], answer
    assert 'does not answer' in world.luctl('entropy', 'ds')


def effects(world, n):
    """What the history says of the last n generations' layouts, newest first, once nothing is pending."""
    def read():
        rows = world.json('history', '--limit', str(n))['generations']
        return [r.get('effect') for r in rows if (r.get('effect') or {}).get('found') != 'pending']
    return world.until(lambda: (rows := read()) and len(rows) == n and rows)


def test_effect(world):
    """What each layout has in common with the one before: by a worker, by the machine, or unknown, and why."""
    world.prepare()
    world.luctl('update', 'ds')
    first, = effects(world, 1)
    assert first['found'] == 'unknown' and 'no generation that ran before' in first['why'], first
    before = world.running()
    world.luctl('rerandomize', 'ds')
    second, _ = effects(world, 2)
    assert second['found'] == 'compared' and second['against'] == before and second['pieces'] == 1, second
    assert second['kept_address'] == 0 and 'known_worst' in second and not second['why']
    assert '0 of 1' in world.luctl('history') and 'unknown' in world.luctl('history')
    shown = world.luctl('show', 'ds', str(world.running()))
    assert 'compared, against generation %d' % before in shown and 'gadgets known: ' in shown, shown
    # A release before is another program; what the machine made is known to the machine alone.
    world.luctl('release', 'add', world.kit('ds', 2))
    world.luctl('update', 'ds')
    assert 'another release' in effects(world, 1)[0]['why']
    world.luctl('rerandomize', 'ds', '--layout', 'machine')
    assert 'no map' in effects(world, 1)[0]['why']
    made = world.running()
    world.luctl('rerandomize', 'ds', '--layout', 'machine')
    counted = effects(world, 1)[0]
    assert (counted['found'], counted['against'], counted['pieces']) == ('counted', made, 9), counted
    assert (counted['kept_address'], counted['kept_base']) == (0, 1)
    assert 'counted by the machine' in world.luctl('show', 'ds', str(world.running()))
    world.luctl('rerandomize', 'ds', '--layout', 'host')
    assert 'nobody else knows it' in effects(world, 1)[0]['why']
    # What the machine undid never ran.
    world.peer.faults['roll_back'] = 1
    world.luctl('rerandomize', 'ds', '--layout', 'host', code=5)
    assert world.json('history', '--limit', '1')['generations'][0].get('effect') is None


def test_effect_later(world):
    """Figures that no worker could find out are found out later, and a lud that was killed goes on with them."""
    world.prepare()
    world.luctl('update', 'ds')
    effects(world, 1)
    compare = os.path.join(world.dir, 'luforge-compare')
    os.rename(compare, compare + '.away')
    world.luctl('rerandomize', 'ds')
    world.until(lambda: 'not known yet' in world.log())
    assert world.json('history', '--limit', '1')['generations'][0]['effect']['found'] == 'pending'
    assert 'pending' in world.luctl('history')
    world.kill()
    os.rename(compare + '.away', compare)
    world.start()
    assert effects(world, 1)[0]['found'] == 'compared'
    # A payload that is not the one that was signed gives no figures.
    world.luctl('rerandomize', 'ds')
    effects(world, 1)
    db = sqlite3.connect(world.state + '/lud.db')
    db.execute('DELETE FROM effects')
    db.execute('UPDATE variants SET compared = 0')
    db.commit()
    db.close()
    world.kill()
    paths = sorted(glob.glob(world.state + '/variants/*.payload'), key=os.path.getmtime)
    shutil.copy(paths[-2], paths[-1])
    world.start()
    assert 'invalid answer' in effects(world, 1)[0]['why']


def ahead(world, n):
    """Contents of the n payloads that were made ahead, oldest first, once they are there and lud says no more."""
    def read():
        paths = glob.glob(world.state + '/variants/ahead-*.payload')
        contents = []
        for path in sorted(paths, key=lambda p: int(p.rsplit('-', 1)[1].split('.')[0])):
            with contextlib.suppress(FileNotFoundError), open(path, 'rb') as f:
                contents.append(f.read())
        return contents
    return world.until(lambda: len(contents := read()) == n and [contents])[0]


def prebuild(world, n):
    """Has lud keep n variants of ds, from now on."""
    with open(world.config, encoding='ascii') as f:
        text = f.read().split('prebuilt:')[0]
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(text + 'prebuilt:\n  /ds: %d\n' % n)
    if world.lud:
        world.lud.send_signal(signal.SIGHUP)


def newest_payload(world, machine='m'):
    """What the newest generation was made as; None: its file is gone."""
    row = world.json('history', '--limit', '1', '-m', machine)['generations'][0]
    for path in glob.glob(world.state + '/variants/ds-*.payload'):
        with open(path, 'rb') as f:
            content = f.read()
        if hashlib.blake2b(content).hexdigest() == row['payload_hash']:
            return content
    return None


def test_prebuilt(world):
    """Variants made ahead are used in order, once, by the machine they are for, and made again; without a trace of a seed."""
    prebuild(world, 2)
    world.prepare()
    first = ahead(world, 2)
    assert len(set(first)) == 2
    for n in range(2):
        world.luctl('rerandomize', 'ds')
        assert newest_payload(world) == first[n]
    later = ahead(world, 2)
    assert not set(later) & set(first)
    assert world.peer.seeds and not any(holds(world.state, seed) for seed in world.peer.seeds)
    # The machine makes its own, and what is damaged is made again of the same seed.
    world.luctl('rerandomize', 'ds', '--layout', 'machine')
    assert ahead(world, 2) == later
    oldest = sorted(glob.glob(world.state + '/variants/ahead-*.payload'), key=os.path.getmtime)[0]
    with open(oldest, 'wb') as f:
        f.write(b'damaged')
    world.luctl('rerandomize', 'ds')
    assert newest_payload(world) == later[0]
    # Another machine gets others.
    mine = ahead(world, 2)
    other = harness.peer.Peer(os.path.join(world.dir, 'other.sock'))
    other.add_service('ds', world.release_id(world.kits[0]))
    with other:
        world.luctl('machine', 'start', 'other', '--attach', other.path)
        others = set(ahead(world, 4)) - set(mine)
        assert len(others) == 2
        world.luctl('rerandomize', 'ds', '-m', 'other')
        assert newest_payload(world, 'other') in others and set(mine) < set(ahead(world, 4))
        world.luctl('machine', 'stop', 'other')
        world.luctl('machine', 'remove', 'other')
        ahead(world, 2)
    prebuild(world, 0)
    assert ahead(world, 0) == []


def test_prebuilt_stale(world):
    """What was made ahead goes with its release, its root and the lud that has its seed."""
    prebuild(world, 2)
    world.prepare()
    made = [ahead(world, 2)]
    world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
    world.until(lambda: len(ahead(world, 2)) == 2 and not set(ahead(world, 2)) & set(made[0]))
    made.append(ahead(world, 2))
    world.kill()
    world.start()
    world.until(lambda: len(ahead(world, 2)) == 2 and not set(ahead(world, 2)) & set(made[1]))
    made.append(ahead(world, 2))
    world.luctl('rerandomize', 'ds')
    assert newest_payload(world) == made[2][0]
    world.luctl('release', 'add', world.kit('ds', 2))
    world.luctl('update', 'ds')
    assert newest_payload(world) not in sum(made, [])
    world.until(lambda: not set(ahead(world, 2)) & set(sum(made, [])))
    # A rollback blocks the release that it leaves; killed in the middle of using one, lud makes others.
    before = ahead(world, 2)
    world.kill()
    world.start(die_at='forge.begin')
    ahead(world, 2)
    subprocess.run([world.program('ctl/luctl'), 'rerandomize', 'ds', '--socket', world.socket], check=False,
                   capture_output=True)
    world.wait_dead()
    world.start()
    assert world.settle()['state'] == 'JOB_STATE_CONFIRMED'
    assert not set(ahead(world, 2)) & set(before)
    db = sqlite3.connect(world.state + '/lud.db')
    db.execute('UPDATE releases SET blocked_us = 1')
    db.commit()
    db.close()
    assert ahead(world, 0) == []


def test_prebuilt_full(world):
    """A full disk keeps variants from being made ahead, which is told, and keeps no update from its end later."""
    world.small_disk()
    if not world.disk:
        return
    world.prepare()
    ballast = fill(world.state)
    prebuild(world, 4)
    world.until(lambda: 'is made ahead; updates make their own' in world.log())
    assert not glob.glob(world.state + '/variants/ahead-*')
    os.unlink(ballast)
    world.luctl('rerandomize', 'ds')


def test_prebuilt_passed_by(world):
    """A release of which none can be made keeps no other machine from having its own, and is tried again, ever later."""
    world.prepare(2)
    path, = harness.record(world, 'SELECT path FROM releases WHERE counter = 1')
    os.rename(path, path + '.away')
    other = harness.peer.Peer(os.path.join(world.dir, 'other.sock'))
    other.add_service('ds', world.release_id(world.kits[1]))
    with other:
        world.luctl('machine', 'start', 'other', '--attach', other.path)
        prebuild(world, 2)
        assert len(set(ahead(world, 2))) == 2
        world.until(lambda: 'no variant of ds, release 1, is made ahead' in world.log())
        assert 'it is tried again in 5 s' in world.log() and 'no variant of ds, release 2' not in world.log()
        world.until(lambda: 'it is tried again in 10 s' in world.log())
        # A mended keyring is not waited for.
        world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
        world.until(lambda: world.log().count('it is tried again in 5 s') >= 2)
        os.rename(path + '.away', path)
        assert len(set(ahead(world, 4))) == 4


def test_unseal(world):
    """The audit key opens what the signer sealed, and makes the variant again."""
    world.prepare()
    world.luctl('update', 'ds')
    shown = world.json('show', 'ds', str(world.running()))
    keys = ['--keys', world.dir + '/keys']
    commit, sealed, release = (shown[name] for name in ('seed_commit', 'seed_sealed', 'release_id'))
    seed = world.luctl('keys', 'unseal', commit, sealed, release, *keys).strip()
    committed = b'samsara commit'.ljust(16, b'\0') + bytes.fromhex(release) + struct.pack('<II', formats.RECIPE, 0)
    assert hashlib.blake2b(committed + bytes.fromhex(seed)).hexdigest() == commit
    assert world.peer.orders[0].recipe == formats.RECIPE
    other = hashlib.blake2b(b'other').hexdigest()
    world.luctl('keys', 'unseal', other, sealed, release, *keys, code=7)
    for wrong in ((other,), (release, '1')):
        told = world.luctl('keys', 'unseal', commit, sealed, *wrong, *keys, code=7)
        assert 'not the one' in told and seed not in told, told
    for spoilt in (' ' + other[1:], '+' + other[1:], other[:-1], other + '00', '0x' + other[2:]):
        assert '128 hex digits' in world.luctl('keys', 'unseal', spoilt, sealed, release, *keys, code=2), spoilt


harness.main(globals(), 2)
