#!/usr/bin/env python3
"""lud against a peer that misbehaves: whatever is lost, cut, repeated or killed, a job
comes to the end that the machine says, and nothing is run twice.

Usage: lud_test.py BUILD [main | faults | NAME...]      (the two groups: several tests side by side)
"""

import concurrent.futures
import contextlib
import glob
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

import harness
from harness import formats

# What lud's children run as where lud is root and no such users have names (lud(8)).
SIGNER_UID, FORGE_UID = 60801, 60802

# Steps as the record has them (proto/words/jobs.def).
STEP_STAGE, STEP_RUN, STEP_IMAGE, STEP_ORDER = 4, 5, 6, 9

# Every place where lud_test can be made to end itself in an update.
DEATHS = ['%s.%s' % (step, phase)
          for step in ('seed', 'forge', 'sign', 'stage', 'order', 'run', 'check', 'confirm')
          for phase in ('begin', 'did', 'end')] + [
              'stage.chunk', 'run.sent', 'run.accepted', 'confirm.sent', 'confirm.accepted']


# The same where the machine makes the layout.
DEATHS_MADE = ['%s.%s' % (step, phase) for step in ('stage', 'order', 'run', 'check', 'confirm')
               for phase in ('begin', 'did', 'end')] + [
                   'stage.drawn', 'run.sent', 'run.accepted', 'confirm.sent', 'confirm.accepted']


# The same of the job that moves services out of the layouts that a machine was booted with.
DEATHS_MOVE = ['move.begin', 'move.planned', 'move.did', 'move.end']


def test_update_and_back(world):
    """Update, prepare-only, rollback, rerandomize; each is told and kept."""
    world.prepare(2)
    world.luctl('update', 'ds', '--prepare-only')
    assert world.running() == 1 and len(world.peer.runs) == 1
    job = world.json('update', 'ds')
    assert job['state'] == 'committed' and world.running() == job['generation']
    assert world.peer.services['ds']['release_id'] == world.release_id(world.kits[1])
    world.luctl('rollback', 'ds', code=4)  # release 1 never ran by our record
    world.json('update', 'ds', '--release', world.release_id(world.kits[0]).hex()[:10])
    job = world.json('rollback', 'ds')
    assert job['kind'] == 'rollback' and world.running() == job['generation']
    assert world.peer.services['ds']['release_id'] == world.release_id(world.kits[1])
    jobs = world.json('rerandomize', '--all')['jobs']
    assert sorted((j['service'], j['state']) for j in jobs) == [('ds', 'committed'),
                                                               ('rs', 'skipped')]
    states = [g['state'] for g in world.json('history', 'ds')['generations']]
    assert states == ['running', 'past', 'past', 'past', 'rehearsed'], states
    assert 'hello from the peer' in world.luctl('log')
    shown = world.json('show', 'ds', str(world.running()))
    assert [s['state'] for s in shown['job']['steps']] == ['done'] * 9  # a rerandomization pairs nothing
    assert len(world.peer.runs) == len(set(world.peer.runs))


def test_outcomes(world):
    """What the machine refuses or undoes comes back with its cause and its exit code."""
    world.prepare()
    world.peer.faults['refuse'] = 1
    told = world.luctl('rerandomize', 'ds', code=5)
    assert 'E_V_EXPIRED' in told and 'clock' in told, told
    world.peer.faults['roll_back'] = 1
    assert 'E_TIMEOUT' in world.luctl('update', 'ds', code=6)
    assert world.running() == 1
    world.peer.faults['overlap'] = 2
    job = world.json('update', 'ds')
    assert job['state'] == 'committed' and len(world.peer.runs) == 5
    states = [g['state'] for g in world.json('history')['generations']]
    assert states == ['running', 'refused', 'refused', 'rolled back', 'refused'], states


def die(world, death, **request):
    """lud started anew, with a request during which it kills itself at this point."""
    world.kill()
    world.start(die_at=death)
    with world.control() as control, contextlib.suppress(harness.wire.Ended, OSError):
        control.call(**request)
    world.wait_dead()


def record(world, query):
    """The first row of what is asked of the record."""
    with contextlib.closing(sqlite3.connect('file:%s/lud.db?mode=ro' % world.state, uri=True)) as db:
        return db.execute(query).fetchone()


def killed_once(world, death, **request):
    """kill -9 at this point of a job: taken up again, run once, and true to the machine. The job."""
    runs = len(world.peer.runs)
    die(world, death, **request)
    world.start()
    job = world.settle()
    assert job['state'] == 'JOB_STATE_COMMITTED', (death, job)
    assert job['generation'] == world.running(), death
    assert len(world.peer.runs) == runs + 1, (death, world.peer.runs)
    return job


def test_killed_everywhere(world):
    """kill -9 at every step of a job."""
    world.prepare()
    for death in DEATHS:
        killed_once(world, death, rerandomize={'services': ['ds']})


def test_killed_while_pairing(world):
    """An update to another release pairs first; killed there, it is paired again."""
    world.prepare(2)
    for n, death in enumerate('pair.' + phase for phase in ('begin', 'did', 'end')):
        release = world.release_id(world.kits[1 - n % 2])
        job = killed_once(world, death, update={'service': 'ds', 'release': release.hex()})
        assert world.peer.services['ds']['release_id'] == release, death
        assert [s['name'] for s in job['steps']][:2] == ['plan', 'pair'], job


def made(world, *words):
    """The job of a command whose layout the machine makes; it is to commit."""
    job = world.json(*words)
    job = job['jobs'][0] if 'jobs' in job else job
    assert job['state'] == 'committed' and job['layout'] == 'machine', job
    assert job['generation'] == world.running() and world.peer.services['ds']['machine_made'], job
    return job


def ordered_files(kit):
    """The hashes of what a machine needs to make layouts: state description and flat kit."""
    hashes = []
    for name in ('state', 'flat'):
        with open(os.path.join(kit, name), 'rb') as f:
            hashes.append(hashlib.blake2b(f.read()).digest())
    return hashes


def files_of(kit):
    return set(ordered_files(kit))


def test_machine_made(world):
    """A layout that the machine makes: nothing of it is made, signed or sent here, and nothing known afterwards."""
    world.prepare(2)
    first, second = (made(world, 'rerandomize', 'ds', '--layout', 'machine') for _ in range(2))
    order = world.peer.orders[0]
    assert order.is_made() and order.release_id == world.release_id(world.kits[0]) and order.recipe == formats.RECIPE
    assert not world.peer.staged and not world.peer.n_begun, 'a machine was sent what it was booted with'
    assert not os.path.exists(world.state + '/variants')
    shown = [world.json('show', 'ds', str(job['generation'])) for job in (second, first)]
    for job, generation in zip((second, first), shown):
        assert generation['seed_commit'] == job['result']['commitment']
        assert any(bytes.fromhex(generation['seed_commit'])), generation
        assert generation['layout'] == 'machine' and not generation['known_outside'], generation
        sealed = job['result']['sealed']
        assert len(sealed) == 160 and generation['seed_sealed'] == generation['sealed'] == sealed, generation
        for name in ('envelope', 'build_id', 'payload_hash', 'base_address'):
            assert not generation[name], (name, generation)
        assert [s['name'] for s in generation['job']['steps']] == ['plan', 'stage', 'order', 'run', 'check', 'confirm']
    assert shown[0]['seed_commit'] != shown[1]['seed_commit']
    assert shown[0]['sealed'] != shown[1]['sealed']
    text = world.luctl('show', 'ds', str(world.running()))
    assert 'sealed seed   yes' in text and shown[0]['sealed'] not in text, text
    assert 'machine, known outside: no' in text and 'payload' not in text and 'signed' not in text, text

    # Another release: its files are sent, once.
    job = made(world, 'update', 'ds', '--layout', 'machine')
    assert [s['name'] for s in job['steps']][:3] == ['plan', 'pair', 'stage'], job
    assert set(world.peer.staged) == files_of(world.kits[1]) and world.peer.n_begun == 2
    made(world, 'rerandomize', 'ds', '--layout', 'machine')
    assert world.peer.n_begun == 2
    assert world.peer.services['ds']['release_id'] == world.release_id(world.kits[1])

    # Back to a generation of the machine's own: its release again, in a layout that is new as well.
    back = made(world, 'rollback', 'ds', '--layout', 'machine')
    assert world.peer.services['ds']['release_id'] == world.release_id(world.kits[0])
    assert back['result']['commitment'] not in [g['seed_commit'] for g in shown]
    world.luctl('rerandomize', 'ds')  # by the host, which is how lud is configured here
    status = world.luctl('status')
    assert not world.peer.services['ds']['machine_made'] and ' host ' in status, status
    hosted = world.running()
    layouts = {g['generation']: (g['layout'], g['known_outside']) for g in world.json('history', 'ds')['generations']}
    assert layouts[hosted] == ('host', True) and layouts[hosted - 1] == ('machine', False), layouts
    made(world, 'rollback', 'ds', '--to', str(job['generation']), '--layout', 'machine')
    assert world.json('rollback', 'ds', '--to', str(hosted))['layout'] == 'host'
    runs = world.running()
    assert world.json('update', 'ds', '--release', world.release_id(world.kits[0]).hex()[:10], '--prepare-only',
                      '--layout', 'machine')['state'] == 'prepared'
    assert world.running() == runs and world.peer.orders[-1].is_made()
    assert 'chance' in world.luctl('rerandomize', 'ds', '--layout', 'chance', code=4)
    n_orders = len(world.peer.orders)
    for command in (('rerandomize', 'ds'), ('update', 'ds', '--release', world.release_id(world.kits[0]).hex())):
        for recipe in ('9', '33', '3u', 'newest'):
            told = world.luctl(*command, '--recipe', recipe, code=4)
            assert 'no recipe of layouts is called %s; known: %d' % (recipe, formats.RECIPE) in told, told
    assert len(world.peer.orders) == n_orders
    made(world, 'rerandomize', 'ds', '--layout', 'machine', '--recipe', str(formats.RECIPE))


def holds(directory, secret):
    """Files below the directory with these bytes, as they are or in hexadecimal digits."""
    found = []
    for path in (os.path.join(d, f) for d, _, names in os.walk(directory) for f in names):
        if os.path.isfile(path):
            with open(path, 'rb') as f:
                content = f.read()
            if secret in content or secret.hex().encode() in content.lower():
                found.append(path)
    return found


def test_host_made(world):
    """A layout that lud made goes with its seed and the flat kit, once a release; no file on the host has the seed."""
    world.prepare(2)
    world.luctl('update', 'ds')
    _, flat = ordered_files(world.kits[1])
    assert files_of(world.kits[1]) <= set(world.peer.staged) and world.peer.n_begun == 3
    for n in range(2, 4):
        world.luctl('rerandomize', 'ds')
        assert world.peer.n_begun == n + 2, 'a machine was sent more than a payload'
    seeds = world.peer.seeds
    assert len(set(seeds)) == 3 and all(len(seed) == 32 for seed in seeds), seeds
    # What the machine was booted with is not sent.
    world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex()[:10])
    assert world.peer.n_begun == 6 and not files_of(world.kits[0]) & set(world.peer.staged)
    world.luctl('rollback', 'ds')
    assert not any(holds(world.state, seed) for seed in seeds)
    # Where the machine has no use for it, the flat kit stays here. What it wants is more than lud has.
    world.peer.keeps_kits = False
    world.peer.staged.clear()
    told = world.luctl('update', 'ds', code=5)
    assert flat not in world.peer.staged and 'E_V_THRESHOLD' in told and '--layout machine' in told, told


def test_known_outside(world):
    """Who knows a layout is told of the one that runs: after a crash that is one of the machine's own."""
    world.prepare()

    def told():
        runs = next(g for g in world.json('history', 'ds')['generations'] if g['state'] == 'running')
        return runs['layout'], runs['known_outside'], runs['made'], runs['commitment']

    def status():
        return next(s for s in world.json('status')['services'] if s['service']['name'] == 'ds')
    hosted = world.json('update', 'ds')
    assert told() == ('host', True, 0, '') and status()['known_outside'] and not status()['service']['commitment']
    was = world.json('show', 'ds', str(hosted['generation']))
    for n in (1, 2):
        world.peer.crash('ds')
        service = world.peer.services['ds']
        # Nobody asks: lud hears of the fresh start, and asks itself.
        world.until(lambda s=service, k=n: told() == ('machine', False, k, s['commitment'].hex()))
        assert not status()['known_outside'] and status()['service']['commitment'] == service['commitment'].hex()
    now = world.json('show', 'ds', str(hosted['generation']))
    assert not now['base_address'] and not now['build_id'], now
    for key in ('seed_commit', 'seed_sealed', 'envelope', 'payload_hash'):
        assert now[key] == was[key] and now[key], key
    text = world.luctl('show', 'ds', str(hosted['generation']))
    assert f"generation {hosted['generation']}.2\n" in text and 'known outside: no' in text, text
    assert f"{hosted['generation']}.2 " in world.luctl('history', 'ds')
    assert f"{hosted['generation']}.2 " in world.luctl('status')
    # One that the machine made crashes, too: the commitment of what was ordered stays beside the new one.
    job = made(world, 'rerandomize', 'ds', '--layout', 'machine')
    assert told()[2:] == (0, job['result']['commitment'])
    world.peer.crash('ds')
    world.until(lambda: told()[2] == 1)
    now = world.json('show', 'ds', str(job['generation']))
    assert now['seed_commit'] == job['result']['commitment'] != now['commitment'], now
    assert now['seed_sealed'] == job['result']['sealed'] != now['sealed'], now
    assert now['sealed'] == world.peer.services['ds']['sealed'].hex(), now
    # A root without an audit key: nothing is sealed, and both say so.
    world.peer.has_audit_key = False
    world.peer.crash('ds')
    world.until(lambda: told()[2] == 2)
    job = made(world, 'rerandomize', 'ds', '--layout', 'machine')
    for number, ordered in ((now['generation'], now['seed_sealed']), (job['generation'], '')):
        shown = world.json('show', 'ds', str(number))
        assert shown['commitment'] and not shown['sealed'] and shown['seed_sealed'] == ordered, shown
    assert 'sealed seed   no\n' in world.luctl('show', 'ds', str(job['generation']))
    # What ran before stays as it ran last.
    past = {g['generation']: g for g in world.json('history', 'ds')['generations']}[hosted['generation']]
    assert (past['made'], past['known_outside']) == (2, False), past


MOVED = 'machine:\n  boot_layouts: moved\n'


def moves(world):
    """The jobs that moved boot layouts, newest first, and the jobs that they asked for."""
    jobs = world.json('jobs')['jobs']
    return [j for j in jobs if j['kind'] == 'move'], [j for j in jobs if j['parent']]


def is_moved(world, n):
    """Whether so many moves are over, and what can move is in a layout of the machine's own."""
    done, _ = moves(world)
    return len(done) == n and all(j['state'] != 'open' for j in done) and all(
        s.get('machine_made') for s in world.peer.services.values() if s['can_update'])


def test_boot_layouts(world):
    """What can be moved is moved out of the layouts that a machine was booted with, once a boot, if so configured."""
    world.peer.add_service('tty', bytes(64))  # its release is registered nowhere
    world.prepare()
    assert not moves(world)[0]
    configured(world, MOVED)
    world.peer.boot_anew()
    world.until(lambda: world.peer.services['ds'].get('machine_made'))
    world.until(lambda: moves(world)[0] and moves(world)[0][0]['state'] == 'failed')
    (move,), children = moves(world)
    assert [(c['service'], c['kind'], c['layout'], c['state'], c['parent'], c['identity']) for c in children] == [
        ('ds', 'rerandomize', 'machine', 'committed', move['id'], f'lud, job {move["id"]}')], children
    assert 'tty' in move['cause']['message'] and 'luctl jobs' in move['hint'] and move['identity'] == 'lud', move
    assert ' move ' in world.luctl('jobs')
    del world.peer.services['tty']
    for _ in range(2):  # the same boot: whoever starts, and whatever runs by now
        world.json('rerandomize', 'ds', '--layout', 'host')
        assert world.kill(signal.SIGTERM) == 0
        world.start()
        world.luctl('status')
        assert len(moves(world)[0]) == 1 and not world.peer.services['ds']['machine_made']
    world.peer.boot_anew()
    world.until(lambda: is_moved(world, 2))
    newest = moves(world)[0][0]
    assert newest['state'] == 'committed' and newest['hint'].startswith('1 services run'), newest
    # A snapshot of before is another line of the same boot.
    world.peer.put_back()
    world.peer.services['ds'].update(machine_made=False, base_address=1 << 40, commitment=b'')
    world.peer.cut()
    world.until(lambda: is_moved(world, 3))
    configured(world, '')
    world.peer.boot_anew()
    world.until(lambda: world.peer.stated and world.json('status')['machine']['state'] == 'up')
    world.json('rerandomize', 'ds', '--layout', 'host')
    assert len(moves(world)[0]) == 3


def test_boot_layouts_of_old_machine(world):
    """One that makes no layouts stays as it was booted, and lud says so."""
    world.prepare()
    world.peer.features = 3
    configured(world, MOVED)
    world.peer.boot_anew()
    world.until(lambda: 'its services stay in those' in world.log())
    assert not moves(world)[0]


def test_boot_layouts_killed(world):
    """kill -9 at every step of the move, and a machine that goes away in the middle of it."""
    world.prepare()
    configured(world, MOVED)
    for n, death in enumerate(DEATHS_MOVE + ['stage.drawn', 'run.sent', 'confirm.end'], 1):
        world.kill()
        world.peer.boot_anew()
        runs = len(world.peer.runs)
        world.start(die_at=death)
        world.wait_dead()
        world.start()
        world.until(lambda k=n: is_moved(world, k))
        assert len(world.peer.runs) == runs + 1, death
        done, children = moves(world)
        assert done[0]['state'] == 'committed' and len(children) == n, (death, done[0], children)


def configured(world, text):
    """Has lud read its configuration, with this behind the section `update`."""
    with open(world.config, encoding='ascii') as f:
        was = f.read()
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(was.split('  layout: ')[0].split('layouts:')[0].split('machine:')[0] + text)
    n = world.log().count('configuration is read')
    world.lud.send_signal(signal.SIGHUP)
    world.until(lambda: world.log().count('configuration is read') > n)


def planned(job):
    """Why the layout of a job is made by whom it is."""
    return job['steps'][0]['detail']


def test_layout_by_default(world):
    """Who makes layouts where nobody says is a matter of what can be done, and of configuration."""
    world.prepare(2)
    first, second = (world.release_id(kit).hex()[:12] for kit in world.kits)
    configured(world, '')
    job = made(world, 'update', 'ds')
    assert planned(job) == 'layout by the machine: it can make it', job
    assert planned(job) in world.luctl('show', 'ds', str(job['generation']))
    made(world, 'rerandomize', '--all')
    for text, by, why in (('  layout: host\n', 'host', 'update.layout'),
                          ('layouts:\n  /ds: host\n', 'host', 'layouts./ds'),
                          ('  layout: host\nlayouts:\n  m: machine\n  m2/ds: host\n', 'machine', 'layouts.m'),
                          ('layouts:\n  m: machine\n  m/ds: host\n  /ds: machine\n', 'host', 'layouts.m/ds')):
        configured(world, text)
        job = world.json('update', 'ds', '--release', first)
        assert (job['layout'], planned(job)) == (by, f'layout by the {by}: {why} says so'), (text, job)
        assert world.peer.services['ds']['machine_made'] == (by == 'machine')
    made(world, 'rollback', 'ds', '--layout', 'machine')
    assert world.json('rollback', 'ds', '--to', str(world.running()))['layout'] == 'host'
    configured(world, '')
    # What the machine's store cannot hold it makes no layout of, unless it has the kit already.
    world.peer.stage_limit = 100
    world.json('update', 'ds', '--release', first)
    told = world.luctl('update', 'ds', '--release', second, '--layout', 'machine', code=4)
    assert 'the machine stages at most 100' in told, told
    job = world.json('update', 'ds', '--release', second)
    assert job['layout'] == 'host' and 'the machine stages at most' in planned(job), job
    made(world, 'rerandomize', 'ds')
    # A machine that does not say that it makes layouts, as those of before.
    world.peer.features = 3
    world.kill()
    world.start()
    told = world.luctl('rerandomize', 'ds', '--layout', 'machine', code=4)
    assert 'machine m makes no layouts' in told and '--layout host' in told, told
    job = world.json('rerandomize', 'ds')['jobs'][0]
    assert job['layout'] == 'host' and 'm makes no layouts' in planned(world.json('update', 'ds')), job
    configured(world, '  layout: machine\n')
    assert 'makes no layouts' in world.luctl('update', 'ds', code=4), 'what was configured was not done'
    assert world.json('update', 'ds', '--layout', 'host')['layout'] == 'host'


def test_machine_made_killed(world):
    """kill -9 at every step of such a job, with files to send and without."""
    world.prepare(2)
    for death in DEATHS_MADE:
        job = killed_once(world, death, rerandomize={'services': ['ds'], 'layout': 'machine'})
        assert [s['name'] for s in job['steps']].count('seed') == 0 and len(world.json('history')['generations']) == \
            len(world.peer.runs), death
    for death in ('pair.end', 'stage.drawn', 'stage.chunk', 'stage.end'):
        world.peer.staged.clear()
        for kit in reversed(world.kits):
            release = world.release_id(kit)
            killed_once(world, death, update={'service': 'ds', 'release': release.hex(), 'layout': 'machine'})
            assert world.peer.services['ds']['release_id'] == release, death
            if death == 'stage.chunk':
                break  # what the machine was booted with is not sent


def test_machine_made_hindered(world):
    """A cut channel, a full store, a newer root, a forgotten result: it ends as it would without."""
    world.prepare(2)
    for n in range(1, 30, 3):
        world.peer.faults['cut_after'] = n
        runs = len(world.peer.runs)
        made(world, 'rerandomize', 'ds', '--layout', 'machine')
        assert len(world.peer.runs) == runs + 1, n
        world.peer.faults.pop('cut_after', None)
    world.peer.faults['full'] = 1
    made(world, 'update', 'ds', '--layout', 'machine')
    world.peer.faults.update(rate_admit=2)
    made(world, 'rerandomize', 'ds', '--layout', 'machine')
    world.peer.faults.update(forget=1, lose_event=2)
    job = made(world, 'rerandomize', 'ds', '--layout', 'machine')
    shown, ds = world.json('show', 'ds', str(job['generation'])), world.peer.services['ds']
    assert (shown['seed_commit'], shown['seed_sealed']) == (ds['commitment'].hex(), ds['sealed'].hex()), shown
    world.kill()
    for n, place in enumerate(('stage.begin', 'order.begin', 'run.begin')):
        world.start(stop_at=place)
        with world.control() as control:
            asked = control.send(rerandomize={'services': ['ds'], 'layout': 'machine'})
            world.wait_stopped()
            world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
            # The machine hears of the newer root before the job goes on.
            world.peer.root_serial = world.peer.stated = n + 2
            world.lud.send_signal(signal.SIGCONT)
            job = control.wait_reply(asked, 30)['jobs'][0]
        assert job['state'] == 'JOB_STATE_COMMITTED' and world.peer.orders[-2].epoch == n + 2, (place, job)
        assert world.kill(signal.SIGTERM) == 0


def test_machine_made_refused(world):
    """What the machine, the signer or the kit's store stands against is told, and nothing is run."""
    world.prepare(2)
    world.peer.faults['refuse_kit'] = 1
    told = world.luctl('update', 'ds', '--layout', 'machine', code=5)
    assert 'E_V_KEY_EXPIRED' in told and not world.peer.orders, told
    for fault in ('not_made', 'other_release'):
        world.peer.faults[fault] = 1
        told = world.luctl('rerandomize', 'ds', '--layout', 'machine', code=7)
        assert 'not-confirmed' in told, told
        world.peer.services['ds']['release_id'] = world.release_id(world.kits[0])
    world.luctl('status')
    # A machine that was not booted with the release is sent what the store has of it, if that is what was signed.
    world.peer.booted.clear()
    first, second = sorted(stored(world), key=lambda p: world.release_id(p) == world.release_id(world.kits[1]))
    aside = world.dir + '/aside'
    os.rename(first, aside)
    for spoil, said in ((lambda: copy_stored(second, first), 'signed kit of the release cannot be read'),
                        (lambda: os.truncate(first + '/flat', 7), 'not the one that was signed'),
                        (lambda: os.unlink(first + '/state'), 'not the one that was signed'),
                        (lambda: damage(first, 'flat'), 'payload-mismatch')):
        if 'cannot be read' not in said:
            copy_stored(aside, first)
        spoil()
        told = world.luctl('rerandomize', 'ds', '--layout', 'machine', code=1)
        assert said in told and 'in step stage' in told, (said, told)
        shutil.rmtree(first)
    os.rename(aside, first)
    made(world, 'rerandomize', 'ds', '--layout', 'machine')
    runs = len(world.peer.runs)
    assert world.kill(signal.SIGTERM) == 0
    rules = world.dir + '/keys/signer.rules'
    with open(rules, encoding='ascii') as f:
        lines = f.readlines()
    with open(rules, 'w', encoding='ascii') as f:
        f.writelines(line for line in lines if not line.startswith('machine_made'))
    world.start()
    assert 'machine_made' in world.luctl('rerandomize', 'ds', '--layout', 'machine', code=1)
    assert len(world.peer.runs) == runs
    assert world.json('rerandomize', 'ds', '--layout', 'host')['jobs'][0]['state'] == 'committed'


LOST = {'what': 'variable', 'entry': 'store.c:keys', 'member': '', 'text': 'store.c:keys'}
RISK = {'what': 'elements', 'entry': 'store.c:v', 'member': '', 'text': 'elements from [4] of store.c:v'}
INITIAL = {'entry': 'store.c:limit', 'member': '', 'old': 3, 'new': 4}


def pairing_id(old, new):
    """BLAKE2b-512 of the label and the hashes of the two state descriptions (docs/guide/state.md)."""
    hashes = []
    for kit in old, new:
        with open(os.path.join(kit, 'state'), 'rb') as f:
            hashes.append(hashlib.blake2b(f.read()).digest())
    return hashlib.blake2b(b'samsara pairing 1'.ljust(24, b'\0') + b''.join(hashes)).digest()


def test_loss(world):
    """Loss refuses before anything is drawn or staged; with consent it is signed for this pairing only."""
    world.prepare(2)
    world.pairing(loss=[LOST], at_risk=[RISK], initial=[INITIAL])
    told = world.luctl('update', 'ds', code=5)
    for text in ('lost: variable store.c:keys', 'lost if in use: elements from [4] of store.c:v',
                 '`luctl update ds --accept-loss`', 'STATE_DROPPED', 'in step pair', 'state-loss'):
        assert text in told, (text, told)
    world.luctl('update', 'ds', '--prepare-only', code=5)
    assert world.running() == 1 and not world.peer.staged and not world.peer.orders
    assert not world.json('history').get('generations'), 'something was drawn'

    keys = ('--keys', world.dir + '/keys')
    assert 'control key' in world.luctl('update', 'ds', '--accept-loss', '--keys', world.dir, code=8)
    environment = {**os.environ, 'SAMSARA_SOCKET': world.socket}
    done = subprocess.run([world.program('ctl/luctl'), 'update', 'ds', '--accept-loss', *keys], env=environment,
                          check=False, capture_output=True, text=True, timeout=60)
    consent = pairing_id(*world.kits)
    assert done.returncode == 0 and 'lost: variable store.c:keys' in done.stderr, (done.stdout, done.stderr)
    assert 'consenting to pairing ' + consent.hex()[:12] in done.stderr, done.stderr
    assert 'initial value changed, the running value stays: store.c:limit (3 -> 4)' in done.stdout, done.stdout
    assert 'consent to loss, pairing ' + consent.hex()[:12] in done.stdout, done.stdout
    ordered = [o for o in world.peer.orders if any(o.consent or b'')]
    assert [(o.consent, o.n_signatures) for o in ordered] == [(consent, 2)]
    assert world.peer.services['ds']['release_id'] == world.release_id(world.kits[1])
    generation, = world.json('history', 'ds')['generations']
    assert generation['job']['consent'] == consent.hex() and len(generation['job']['consent_key']) == 32, generation
    assert not generation['job']['pairing']['findings'] and generation['job']['pairing']['n_lost'] == 1
    assert consent.hex()[:12] in world.luctl('history', 'ds')
    shown = world.luctl('show', 'ds', str(world.running()))
    assert 'lost: variable store.c:keys' in shown and ', for ' in shown.split('consent')[-1], shown

    told = world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex()[:10], code=5)
    assert 'of release 2 has no place in release 1' in told, told
    world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex()[:10], '--accept-loss', *keys)
    assert 'luctl rollback ds --accept-loss' in world.luctl('rollback', 'ds', code=5)
    world.luctl('rollback', 'ds', '--accept-loss', *keys)
    assert world.peer.orders[-2].consent == consent, 'the consent is not for this way'


def test_loss_that_may_be(world):
    """State that is lost only if in use needs consent only where it was offered; the same release needs no pairing."""
    world.prepare(2)
    world.pairing(at_risk=[RISK], dropped=[LOST])
    assert world.json('update', 'ds')['state'] == 'committed'
    assert not any(any(o.consent or b'') for o in world.peer.orders)
    asked = world.n_paired()
    world.luctl('update', 'ds')
    world.luctl('rerandomize', 'ds')
    assert world.n_paired() == asked, 'a release was paired with itself'
    world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex()[:10], '--accept-loss',
                '--keys', world.dir + '/keys')
    assert world.peer.orders[-2].consent == pairing_id(*reversed(world.kits))


def test_no_pairing(world):
    """What is impossible, not known or not believable ends before anything is made, and says why."""
    world.prepare(2)
    world.pairing(possible=False, error='type changed its kind at store.c:v', rule='type')
    told = world.luctl('update', 'ds', '--accept-loss', '--keys', world.dir + '/keys', code=5)
    assert 'pair-impossible' in told and 'type changed its kind at store.c:v (type)' in told, told
    world.pairing(new={'release_id': '00' * 64})
    assert 'of other releases' in world.luctl('update', 'ds', code=1)
    world.pairing(loss='all of it')
    assert 'invalid answer' in world.luctl('update', 'ds', code=1)
    world.pairing(exit=3)
    assert 'luforge pair: exit status 3' in world.luctl('update', 'ds', code=1)
    assert not world.peer.staged and not world.json('history').get('generations')
    world.pairing()
    world.peer.services['ds']['release_id'] = bytes(64)
    for _ in range(2):  # it is noticed when the order is made; then lud knows it at once
        told = world.luctl('update', 'ds', code=5)
        assert 'is not registered' in told and 'release add' in told, told
    assert not world.peer.orders and len(world.json('history')['generations']) == 1


def test_pair_over(world):
    """A pairing counts for the release that runs: when another one came to run, the next is made before the order."""
    world.prepare(3)
    assert world.kill(signal.SIGTERM) == 0
    world.start(stop_at='stage.did')
    with world.control() as control:
        asked = control.send(update={'service': 'ds'})
        world.wait_stopped()
        world.peer.services['ds']['release_id'] = world.release_id(world.kits[1])
        world.lud.send_signal(signal.SIGCONT)
        job = control.wait_reply(asked, 30)
    assert job['state'] == 'JOB_STATE_COMMITTED' and job['pairing']['from_counter'] == 2, job
    assert [s['name'] for s in job['steps']].count('pair') == 2, job


def test_killed_before_the_machine(world):
    """A job that the machine has not seen when lud dies is sent, once, by the next lud."""
    world.prepare()
    world.peer.faults['drop_run'] = 1
    assert world.json('update', 'ds')['state'] == 'committed'
    assert len(world.peer.runs) == 1


def test_channel_cut(world):
    """The connection is cut after any number of frames: the job ends as if it was not."""
    world.prepare()
    for n in range(1, 36, 2):
        world.peer.faults['cut_after'] = n
        runs = len(world.peer.runs)
        job = world.json('rerandomize', 'ds')['jobs'][0]
        assert job['state'] == 'committed' and job['generation'] == world.running(), n
        assert len(world.peer.runs) == runs + 1, n


def test_channel_damage(world):
    """Garbage between frames, answers out of order, a lost event, a lost answer."""
    world.prepare()
    for fault, n in (('garbage', 3), ('reorder', 2), ('lose_event', 2), ('die_in_run', 1)):
        world.peer.faults[fault] = n
        job = world.json('rerandomize', 'ds')['jobs'][0]
        assert job['state'] == 'committed' and job['generation'] == world.running(), fault


def test_forgotten(world):
    """A result the machine has forgotten is told from what runs; a reboot is no success."""
    world.prepare()
    world.peer.faults.update(forget=1, lose_event=2)
    job = world.json('update', 'ds')
    assert job['state'] == 'committed' and job['generation'] == world.running()
    world.peer.faults['reboot'] = 1
    assert 'restarted' in world.luctl('update', 'ds', code=7)


def test_confirm(world):
    """A commit is confirmed by an order of its own; a confirm that is refused undoes nothing."""
    world.prepare()
    world.luctl('update', 'ds')
    assert [o.action for o in world.peer.orders] == [harness.peer.UPDATE, harness.peer.CONFIRM]
    assert world.peer.orders[1].argument == world.peer.orders[0].txn
    assert world.peer.orders[1].txn > world.peer.orders[0].txn
    world.peer.faults['refuse_confirm'] = 1
    job = world.json('update', 'ds')
    assert job['state'] == 'committed' and 'did not confirm' in job['hint'], job
    # Numbers of lud go on where they were, whatever became of lud.
    world.kill()
    world.start()
    world.luctl('rerandomize', 'ds')
    numbers = [o.txn for o in world.peer.orders]
    assert numbers == sorted(set(numbers)) and {o.epoch for o in world.peer.orders} == {1}


def test_not_confirmed(world):
    """Only what was made, as what it was made, is confirmed: another generation or another build is not."""
    world.prepare()
    for fault in ('other_generation', 'other_build'):
        world.peer.faults[fault] = 1
        told = world.luctl('update', 'ds', code=7)
        assert 'not-confirmed' in told and 'generation %d' % world.running() in told, told
        assert [o.action for o in world.peer.orders].count(harness.peer.CONFIRM) == 0


def test_crash_before_check(world):
    """A service that crashed right after the commit runs in another layout of the same generation and release."""
    world.prepare()
    world.peer.faults['crash'] = 1
    job = world.json('update', 'ds')
    assert job['state'] == 'committed' and not job['hint'] and world.peer.services['ds']['made'] == 1, job
    assert '%d.1' % world.running() in world.luctl('status')


def test_confirm_not_made(world):
    """What hinders the confirm on lud's side, or a machine that answers nonsense, does not unmake what runs."""
    world.prepare()
    root = world.dir + '/keys/root.signed'
    for fault in ('no_root', 'odd_confirm', 'nonsense_confirm'):
        assert world.kill(signal.SIGTERM) in (0, None)
        world.start(stop_at='confirm.begin')
        with world.control() as control:
            asked = control.send(update={'service': 'ds'})
            world.wait_stopped()
            if fault == 'no_root':
                os.rename(root, root + '.away')
            else:
                world.peer.faults[fault] = 1
            world.lud.send_signal(signal.SIGCONT)
            job = control.wait_reply(asked, 30)
        if fault == 'no_root':
            os.rename(root + '.away', root)
        assert job['state'] == 'JOB_STATE_COMMITTED' and 'confirm' in job['hint'], (fault, job)
        assert world.json('history', 'ds')['generations'][0]['state'] == 'running', fault
        assert job['generation'] == world.running()


def test_root_in_confirm(world):
    """A confirm that is refused for its root, which was renewed meanwhile, is no reason to make the update again."""
    world.prepare()
    assert world.kill(signal.SIGTERM) == 0
    world.start(stop_at='confirm.sent')
    with world.control() as control:
        asked = control.send(update={'service': 'ds'})
        world.wait_stopped()
        world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
        world.peer.faults['odd_confirm'] = 1
        world.lud.send_signal(signal.SIGCONT)
        job = control.wait_reply(asked, 30)
    assert job['state'] == 'JOB_STATE_COMMITTED' and 'not confirmed' in job['hint'], job
    assert job['generation'] == world.running() and len(world.peer.runs) == 1
    assert world.json('update', 'ds')['state'] == 'committed'


def test_repeated_result(world):
    """The update's result said once more is not that of its confirm, which has an order of its own."""
    world.prepare()
    assert world.kill(signal.SIGTERM) in (0, None)
    world.start(stop_at='confirm.begin')
    with world.control() as control:
        asked = control.send(update={'service': 'ds'})
        world.wait_stopped()
        world.peer.repeat_result()
        world.lud.send_signal(signal.SIGCONT)
        job = control.wait_reply(asked, 30)
    assert job['state'] == 'JOB_STATE_COMMITTED' and not job.get('hint'), job
    assert [o.action for o in world.peer.orders].count(harness.peer.CONFIRM) == 1


def test_reboot_before_confirm(world):
    """A confirm is for the boot that ran the order; after another boot, and after a snapshot, there is none to give."""
    world.prepare()
    for n, end_boot in enumerate((world.peer.reboot, world.peer.put_back)):
        die(world, 'check.end', rerandomize={'services': ['ds']})
        end_boot()
        world.start()
        job = world.settle()
        assert job['state'] == 'JOB_STATE_COMMITTED' and 'restarted before the confirm' in job['hint'], (n, job)
        assert [o.action for o in world.peer.orders].count(harness.peer.CONFIRM) == 0
    assert world.json('update', 'ds')['hint'] == ''


def test_time(world):
    """A machine ahead of us is refused before anything is signed for it; one behind is not."""
    world.prepare()
    world.peer.time_ahead = -86400
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'committed'
    assert ' s behind this host' in world.luctl('status')
    world.peer.time_ahead = 86400
    orders = len(world.peer.orders)
    told = world.luctl('update', 'ds', code=1)
    assert 'ahead' in told and 'luctl machine time m' in told, told
    assert len(world.peer.orders) == orders
    keys = ['--keys', world.dir + '/keys']
    os.rename(world.dir + '/keys/release.pem', world.dir + '/release.pem')
    assert 'luctl keys time' in world.luctl('machine', 'time', 'm', *keys, code=8)
    os.rename(world.dir + '/release.pem', world.dir + '/keys/release.pem')
    world.luctl('machine', 'time', 'm', *keys)
    assert len(world.peer.times) == 1 and world.peer.time_ahead == 0
    assert world.json('update', 'ds')['state'] == 'committed'
    # The same without the key where lud is: the statement is made elsewhere.
    status = world.json('status')
    made = world.luctl('keys', 'time', status['machine']['machine_id'],
                       str(status['machine']['boot_id']), str(status['time_nonce']), '--at', '5', *keys)
    path = world.dir + '/statement'
    # What was damaged on its way is not sent at all.
    for spoilt in ('', '\n', made[:7], made[:8] + '\n' + made[8:], '+' + made[1:], ' ' + made[1:], made[:-1] + '0',
                   '0x' + made, made.replace('5', 'g', 1), made.strip() * 100):
        with open(path, 'w', encoding='ascii') as f:
            f.write(spoilt)
        assert 'not a time statement' in world.luctl('machine', 'time', '--file', path, code=8), spoilt
    with open(path, 'w', encoding='ascii') as f:
        f.write(made)
    world.luctl('machine', 'time', '--file', path)
    assert world.peer.times[1] == 5


def test_control(world):
    """What destroys needs the person's key, over the very order; lud does not have it."""
    world.prepare()
    keys = ['--keys', world.dir + '/keys']
    world.luctl('keys', 'init', '--keys', world.dir + '/foreign')
    assert 'control key' in world.luctl('restart', 'ds', '--keys', world.dir, code=8)
    assert world.peer.orders == []
    job = world.json('restart', 'ds', *keys)
    assert job['state'] == 'committed' and job['kind'] == 'restart', job
    assert world.peer.orders[-1].action == harness.peer.RESTART
    assert world.peer.orders[-1].n_signatures == 2
    # A machine that speaks of layouts where none was ordered is believed the refusal, and no more.
    world.peer.faults['overlap_of_none'] = 1
    assert 'E_V_OVERLAP' in world.luctl('restart', 'ds', *keys, code=5)
    role, = (key for key in world.json('keys', 'list', *keys) if key['role'] == 'control')
    with open(world.dir + '/keys/root.signed', 'rb') as f:
        root = f.read()
    named = root[root.index(bytes.fromhex(role['id'])):][:16]
    for key_id in (bytes(16), named):
        with world.control() as control:
            control.send(restart={'service': 'ds'})
            while not any('proposal' in p for p in control.progress):
                assert control.receive() is not None
            job = control.progress[-1]['job']
            for signature in ({'key_id': bytes(3), 'signature': bytes(64)}, {'key_id': key_id, 'signature': bytes(64)}):
                try:
                    world.control().call(job_sign={'job': job, **signature})
                    raise AssertionError('a signature that is none was taken')
                except harness.wire.Refused as e:
                    assert 'control key' in str(e) or 'signature' in str(e), e
        assert world.settle(job)['state'] == 'JOB_STATE_FAILED'
    assert 'control key' in world.luctl('restart', 'ds', '--keys', world.dir + '/foreign', code=1)
    assert len(world.peer.orders) == 2


def test_known_machine(world):
    """The machine that a name stood for when a control key was used first is the only one it is used for again."""
    world.prepare()
    command = [world.program('ctl/luctl'), 'restart', 'ds', '--socket', world.socket, '--keys', world.dir + '/keys']
    known = world.dir + '/keys/known_machines'
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    line = 'm %s\n' % world.peer.machine_id.hex()
    assert f'machine m, {world.peer.machine_id.hex()} (order 1.1)' in done.stderr, done.stderr
    assert 'service ds' in done.stderr and f'noted in {known}' in done.stderr, done.stderr
    with open(known, encoding='ascii') as f:
        assert f.read() == line
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert 'noted' not in done.stderr, done.stderr
    with open(known, 'w', encoding='ascii') as f:
        f.write('m ' + '0' * 32 + '\n')
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
    assert f'{known}:1: the order is for another machine' in done.stderr and done.returncode == 8, done
    assert 'did not sign' not in done.stderr and 'restart failed' in done.stdout, done
    assert 'luctl did not sign the order' in world.luctl('jobs')
    assert len(world.peer.orders) == 2
    # What is printed is done: the line goes.
    with open(known, 'w', encoding='ascii'):
        pass
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    assert len(world.peer.orders) == 3


def test_snapshot(world):
    """A machine that was put back under one boot id is a new boot: nothing is taken for done."""
    world.prepare()
    world.luctl('update', 'ds')
    world.luctl('rerandomize', 'ds')
    world.kill()
    world.peer.put_back()
    world.peer.services['ds']['generation'] = 1
    world.start()
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'committed'
    assert world.running() == 4 and len(world.peer.statements) == 1
    with open(os.path.join(world.dir, 'lud.log'), encoding='utf-8') as f:
        assert 'snapshot' in f.read()


def test_next_root(world):
    """A renewed root: the signer takes it up, numbers begin in a new epoch, and floors are stated again under it."""
    world.prepare()
    world.luctl('update', 'ds')
    assert len(world.peer.statements) == 1
    world.luctl('keys', 'renew', '--keys', world.dir + '/keys', '--replace', 'order')
    assert world.json('update', 'ds')['state'] == 'committed'
    assert [o.epoch for o in world.peer.orders] == [1, 1, 2, 2]
    assert world.peer.orders[2].txn == 1
    assert len(world.peer.statements) == 2


def test_statement_again(world):
    """A statement that was lost is sent again; so it is when the machine learns of a newer root right before an
    order, of an update or of its confirm."""
    world.peer.faults['lose_statement'] = 1
    world.prepare()
    world.luctl('update', 'ds')
    assert len(world.peer.statements) == 1
    for action in (harness.peer.UPDATE, harness.peer.CONFIRM):
        n = len(world.peer.orders), len(world.peer.statements)
        world.peer.faults['unstated_%d' % action] = 1
        assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'committed'
        assert (len(world.peer.orders), len(world.peer.statements)) == (n[0] + 2, n[1] + 1)
        assert world.peer.orders[-1].action == harness.peer.CONFIRM


def test_rate(world):
    """A machine that has too many signatures to check is asked again, whatever was to be checked."""
    world.prepare()
    late = ['rate_admit', 'rate_order_%d' % harness.peer.UPDATE, 'rate_order_%d' % harness.peer.CONFIRM]
    world.peer.faults.update({name: 2 for name in late})
    job = world.json('update', 'ds')
    assert job['state'] == 'committed' and not job['hint'], job
    assert [world.peer.faults[name] for name in late] == [0, 0, 0]
    assert world.peer.orders[-1].action == harness.peer.CONFIRM and len(world.peer.runs) == 1


def test_root_before_confirm(world):
    """Numbers of an old epoch mean other orders in the new one: no confirm, and a statement instead."""
    world.prepare()
    world.peer.faults['hold_result'] = 1
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--socket', world.socket, '--json'],
                             stdout=subprocess.PIPE, text=True)
    world.until(lambda: world.peer.withheld)
    n_statements = len(world.peer.statements)
    world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
    world.peer.release()
    job = json.loads(luctl.communicate(timeout=30)[0])
    assert job['state'] == 'committed' and 'renewed' in job['hint'], job
    assert [o.epoch for o in world.peer.orders] == [1]
    world.until(lambda: len(world.peer.statements) > n_statements)


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
    assert 'no service' in world.luctl('entropy', 'nobody', code=4)
    # Another machine's word is not asked for: what it said last counts, and the answer says so.
    world.luctl('machine', 'stop', 'm')
    assert world.json('entropy', 'ds') == {'services': [ds], 'stale': True}
    assert 'does not answer' in world.luctl('entropy', 'ds')


def effects(world, n):
    """What the history says of the last n generations' layouts, newest first, once nothing is pending."""
    def read():
        rows = world.json('history', '--limit', str(n))['generations']
        return [r.get('effect') for r in rows if (r.get('effect') or {}).get('found') != 'pending']
    world.until(lambda: len(read()) == n)
    return read()


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
    world.luctl('rerandomize', 'ds', '--layout', 'host', code=6)
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
    world.until(lambda: len(read()) == n)
    return read()


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
    assert world.settle()['state'] == 'JOB_STATE_COMMITTED'
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
    world.luctl('keys', 'unseal', other, sealed, release, *keys, code=8)
    for wrong in ((other,), (release, '1')):
        told = world.luctl('keys', 'unseal', commit, sealed, *wrong, *keys, code=8)
        assert 'not the one' in told and seed not in told, told
    for spoilt in (' ' + other[1:], '+' + other[1:], other[:-1], other + '00', '0x' + other[2:]):
        assert '128 hex digits' in world.luctl('keys', 'unseal', spoilt, sealed, release, *keys, code=2), spoilt


def test_full_store(world):
    world.prepare()
    world.peer.faults['full'] = 1
    assert world.json('update', 'ds')['state'] == 'committed'
    world.peer.faults['full'] = 5
    assert 'E_STORE_FULL' in world.luctl('update', 'ds', code=5)


def test_old_machine(world):
    """A machine that speaks none of our versions is told apart from one that is silent."""
    world.peer.versions = (3, 4)
    world.start()
    assert 'version' in world.luctl('machine', 'start', 'm', '--attach', world.peer.path, code=4)


def test_bad_kits(world):
    """A kit that is not signed, or changed after signing, is not registered."""
    world.start()
    kit = world.kit('ds', 1)
    with open(os.path.join(kit, 'state'), 'ab') as f:
        f.write(b'!')
    assert 'state: not the file' in world.luctl('release', 'add', kit, code=4)
    os.unlink(os.path.join(kit, 'manifest.signed'))
    assert 'luctl release sign' in world.luctl('release', 'add', kit, code=4)
    assert world.json('release', 'list')['releases'] == []


def damage(kit, name):
    """Changes the last byte of a file."""
    with open(os.path.join(kit, name), 'r+b') as f:
        f.seek(-1, os.SEEK_END)
        byte, = f.read(1)
        f.seek(-1, os.SEEK_END)
        f.write(bytes([byte ^ 1]))


def patch(kit, *finish):
    """Changes the program; with 'list', what names it is made to fit."""
    damage(kit, 'flat')
    if 'list' in finish:
        with open(os.path.join(kit, 'manifest'), 'rb') as f:
            harness.kit_finish(kit, f.read())
    if 'unsigned' in finish:
        os.unlink(os.path.join(kit, 'manifest'))


def instead(kit, name, make):
    os.unlink(os.path.join(kit, name))
    make(os.path.join(kit, name))


# What is done to a signed kit, and what must be said of it.
SPOILT = [
    ('the program', patch, 'flat: not the file'),
    ('the program and the list', lambda kit: patch(kit, 'list'), 'not the one that was signed'),
    ('no unsigned manifest either', lambda kit: patch(kit, 'list', 'unsigned'), "not the manifest's"),
    ('a file more', lambda kit: open(kit + '/more', 'w').close(), "more: not in the kit's list"),
    ('a file less', lambda kit: os.unlink(kit + '/names'), 'names: cannot be read'),
    ('FIFO for the signature', lambda kit: instead(kit, 'manifest.signed', os.mkfifo), 'not a regular file'),
    ('FIFO for the program', lambda kit: instead(kit, 'flat', os.mkfifo), 'not a regular file'),
    ('device', lambda kit: instead(kit, 'state', lambda p: os.symlink('/dev/zero', p)), 'a link'),
    ('private key', lambda kit: os.symlink('../keys', kit + '/keys'), "keys: not in the kit's list"),
    ('private key for the program', lambda kit: instead(kit, 'flat', lambda p: os.symlink(
        '../keys/release.pem', p)), 'a link'),
    ('length', lambda kit: os.truncate(kit + '/flat', 1 << 40), 'flat: not the file'),
    ('long signature', lambda kit: os.truncate(kit + '/manifest.signed', 1 << 20), 'longer than it may be'),
    ('long list', lambda kit: os.truncate(kit + '/files', 1 << 40), 'longer than it may be'),
]


def test_spoilt_kits(world):
    """Whatever a kit directory holds, lud answers, registers nothing and keeps nothing."""
    world.start()
    for number, (what, spoil, said) in enumerate(SPOILT):
        kit = world.kit('ds', number + 1)
        spoil(kit)
        told = world.luctl('release', 'add', kit, code=4)
        assert said in told, (what, told)
    for path, said in (('/dev', 'kit'), ('/dev/zero', 'directory'), (world.dir + '/none', 'no')):
        assert said in world.luctl('release', 'add', path, code=8 if path.endswith('none') else 4).lower()
    assert world.json('release', 'list')['releases'] == []
    assert os.listdir(world.state + '/releases') == [] and os.listdir(world.state + '/tmp') == []


def stored(world):
    """The stored kits; everything in the store is lud's, and forge workers with a user of their own read it."""
    store = world.state + '/releases'
    shared = 0o050 if os.getuid() == 0 else 0
    for place, _, names in os.walk(store):
        for name in ('.', *names):
            found = os.lstat(os.path.join(place, name))
            assert found.st_mode & 0o777 == (0o700 | shared if name == '.' else 0o600 | shared & 0o040), name
            assert found.st_uid == os.getuid() and found.st_gid == (FORGE_UID if shared else os.getgid()), name
    return sorted(os.path.join(store, name) for name in os.listdir(store))


def copy_stored(path, to):
    """As it is, with owners and modes."""
    subprocess.run(['cp', '-a', path, to], check=True)


def test_added_again(world):
    """Adding the same bytes again changes nothing; a damaged copy is made whole; nothing else replaces it."""
    world.start()
    kit = world.kit('ds', 1)
    world.luctl('release', 'add', kit)
    first, = world.json('release', 'list')['releases']
    path, = stored(world)
    inode = os.stat(path).st_ino
    world.luctl('release', 'add', kit)
    assert world.json('release', 'list')['releases'] == [first]
    assert stored(world) == [path] and os.stat(path).st_ino == inode
    patch(kit, 'list')
    world.luctl('release', 'add', kit, code=4)
    assert stored(world) == [path] and os.stat(path).st_ino == inode
    world.luctl('release', 'sign', kit, '--keys', world.dir + '/keys')
    world.luctl('release', 'add', kit)
    assert len(stored(world)) == 2 and len(world.json('release', 'list')['releases']) == 2
    patch(path, 'list')
    again = world.kit('tty', 1)
    world.luctl('release', 'add', again, path, code=4)
    assert len(stored(world)) == 3


def test_tampered_store(world):
    """A stored kit that was changed, or another release in its place, is not made a variant of."""
    world.prepare(2)
    world.luctl('update', 'ds')
    runs, now = len(world.peer.runs), world.running()
    old, new = sorted(stored(world), key=lambda p: world.release_id(p) == world.release_id(world.kits[1]))
    aside = world.dir + '/aside'
    os.rename(new, aside)
    copy_stored(old, new)
    assert 'another release' in world.luctl('update', 'ds', code=1)
    shutil.rmtree(new)
    for finish in ((), ('list',), ('list', 'unsigned')):
        copy_stored(aside, new)
        patch(new, *finish)
        told = world.luctl('update', 'ds', code=1)
        assert 'luforge variant' in told and os.path.basename(new) in told, told
        shutil.rmtree(new)
    assert world.running() == now and len(world.peer.runs) == runs
    copy_stored(aside, new)
    patch(new)
    world.luctl('release', 'add', world.kits[1])
    world.luctl('update', 'ds')
    assert world.running() > now


def test_sign(world):
    """Signing judges the kit first, and shows what it may do and what changes."""
    keys = ('--keys', world.dir + '/keys')
    world.start()
    for number, (what, spoil, said) in enumerate(SPOILT):
        if 'signature' not in what and 'manifest' not in what and 'and the list' not in what:
            kit = world.kit('ds', number + 1)
            spoil(kit)
            told = world.luctl('release', 'sign', kit, *keys, code=8)
            assert said in told, (what, told)
    old, new = world.kit('ds', 31), world.kit('ds', 32)
    with open(new + '/manifest', 'rb') as f:
        manifest = bytearray(f.read())
    manifest[328] = 1 << 3 | 1 << 4  # calls
    struct.pack_into('<4I', manifest, 1184, 4, 0, 0, 0)
    struct.pack_into('<I', manifest, 1216 + 5 * 4, 1)  # n_irqs
    harness.kit_finish(new, manifest)
    told = world.luctl('release', 'sign', new, *keys, '--previous', old)
    for line in ('+ call sendrec', '+ call notify', '+ irq 4', 'since release 31'):
        assert line in told, told
    told = world.json('release', 'sign', old, *keys, '--previous', new)[0]
    assert 'irq 4' in told['removed'] and told['added'] == [] and told['previous'] == 32, told
    assert 'stack 65536' in told['privileges']
    world.luctl('release', 'add', old)
    told = world.luctl('release', 'sign', new, *keys, '--previous', world.state + '/releases')
    assert 'since release 31' in told
    assert 'no earlier release' in world.luctl('release', 'sign', world.kit('tty', 1), *keys, '--previous',
                                               world.state + '/releases')
    assert 'not of tty' in world.luctl('release', 'sign', world.kit('tty', 2), *keys, '--previous', old, code=8)
    os.unlink(old + '/manifest.signed')
    assert 'not signed' in world.luctl('release', 'sign', new, *keys, '--previous', old, code=8)
    told = world.luctl('release', 'sign', new, *keys, '--previous', world.state + '/no-releases', code=8)
    assert 'no-releases' in told and 'No such file' in told and '--previous' in told, told


def test_one_lud(world):
    """One lud per state directory; SIGTERM ends it in good order."""
    world.start()
    second = subprocess.run([world.program('orchestrator/lud'), '--config', world.config],
                            capture_output=True, text=True, check=False, timeout=20)
    assert second.returncode == 5 and 'another lud' in second.stderr, second
    assert world.kill(signal.SIGTERM) == 0
    assert not os.path.exists(world.socket)
    world.luctl('status', code=3)


def fill(directory):
    """Leaves no byte free on the file system of a directory; the file that does it."""
    path = os.path.join(directory, 'ballast')
    with open(path, 'wb', buffering=0) as f, contextlib.suppress(OSError):
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    f.write(bytes(size))
    return path


@contextlib.contextmanager
def disk_full(world):
    """No write of lud gets through: ENOSPC where a small disk could be mounted, else EFBIG."""
    if world.disk:
        ballast = fill(world.state)
        yield
        os.unlink(ballast)
    else:
        soft, hard = resource.prlimit(world.lud.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(world.lud.pid, resource.RLIMIT_FSIZE, (1, hard))
        yield
        resource.prlimit(world.lud.pid, resource.RLIMIT_FSIZE, (soft, hard))


CHANGES = [['update', 'ds'], ['rollback', 'ds'], ['machine', 'start', 'x'], ['machine', 'stop', 'm', '--force'],
           ['rerandomize', 'ds']]


def check_read_only(world):
    """What is true is shown, what is asked of the record is read, what would change it is refused."""
    world.until(lambda: world.json('status')['record']['state'] == 'unwritable', 5)
    status = world.json('status')
    assert status['machine']['state'] == 'up' and not status['stale']
    assert status['services'][0]['service']['generation'] == world.running()
    assert world.json('history')['generations']
    for command in CHANGES + [['release', 'add', world.kits[0]]]:
        told = world.luctl(*command, code=4)
        assert 'record-unwritable' in told and 'lud.db' in told and 'goes on by itself' in told, told


def test_disk_full(world):
    """Between jobs: lud reads on, refuses changes by name, and is well again when there is room."""
    world.small_disk()
    world.prepare()
    assert world.json('update', 'ds')['state'] == 'committed'
    with disk_full(world):
        check_read_only(world)
        lud = world.lud.pid
    world.until(lambda: world.json('status')['record']['state'] == 'well')
    assert world.json('update', 'ds')['state'] == 'committed' and world.lud.pid == lud


def test_disk_full_in_jobs(world):
    """At every step of a job: no abort; settled from the machine's answers when there is room; run once."""
    world.small_disk()
    world.prepare()
    world.json('update', 'ds')
    for step in ('seed', 'forge', 'sign', 'stage', 'run', 'confirm'):
        assert world.kill(signal.SIGTERM) == 0
        world.start(stop_at=step + '.did')
        runs = len(world.peer.runs)
        with world.control() as control:
            asked = control.send(rerandomize={'services': ['ds']})
            world.wait_stopped()
            full = disk_full(world)
            full.__enter__()
            world.lud.send_signal(signal.SIGCONT)
            job = control.wait_reply(asked, 30)['jobs'][0]
        assert world.lud.poll() is None, step
        assert job['state'] == 'JOB_STATE_UNKNOWN' and job['cause']['name'] == 'record-unwritable', (step, job)
        assert 'settled later' in job['hint']
        assert world.json('status')['machine']['state'] == 'up'
        full.__exit__(None, None, None)
        world.until(lambda: world.json('status')['record']['state'] == 'well')
        job = world.settle(job['id'])
        assert job['state'] == 'JOB_STATE_COMMITTED', (step, job)
        assert job['generation'] == world.running() and len(world.peer.runs) == runs + 1, step


def test_locked_record(world):
    """Another program that holds the database's lock makes lud read-only for that time, and not longer."""
    world.prepare()
    other = sqlite3.connect(os.path.join(world.state, 'lud.db'), isolation_level=None)
    other.execute('BEGIN IMMEDIATE')
    world.until(lambda: world.json('status')['record']['state'] == 'unwritable')
    assert 'locked' in world.luctl('update', 'ds', code=4)
    assert world.json('status')['services'][0]['service']['state'] == 'running'
    other.execute('ROLLBACK')
    other.close()
    world.until(lambda: world.json('status')['record']['state'] == 'well')
    assert world.json('update', 'ds')['state'] == 'committed'


def overwrite(path, rng, part):
    """A part of the pages of a file overwritten at random, the first one left alone."""
    with open(path, 'r+b') as f:
        pages = os.path.getsize(path) // 4096
        for page in rng.sample(range(1, pages), int((pages - 1) * part)):
            f.seek(page * 4096)
            f.write(rng.randbytes(4096))


@contextlib.contextmanager
def refused(world, write):
    """No such write to the record gets through, which is well all the same."""
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'), isolation_level=None)) as db:
        db.execute("CREATE TRIGGER refuse BEFORE %s BEGIN SELECT RAISE(ABORT, 'no'); END" % write)
        yield
        db.execute('DROP TRIGGER refuse')


def test_refused_write(world):
    """A write that fails though the record is well: the job stands still, says so, and is settled when it works."""
    world.prepare()
    with refused(world, 'UPDATE ON jobs WHEN new.step = %d' % STEP_STAGE):
        assert 'settled later' in world.luctl('update', 'ds', code=7)
        assert world.json('status')['record']['state'] == 'well' and not world.peer.orders
    assert world.settle()['state'] == 'JOB_STATE_COMMITTED' and len(world.peer.runs) == 1


def test_stalled_limit(world):
    """No time passes for a job that stands still: it is settled, however long the record could not be written."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('machine:\n  answer_timeout: "1s"\n')
    world.prepare()
    with refused(world, 'UPDATE ON jobs WHEN new.step = %d' % STEP_ORDER):
        assert 'settled later' in world.luctl('update', 'ds', code=7)
        # Taken up each second, it stands still again each time.
        world.until(lambda: world.log().count('stands still') >= 4)
    assert world.settle()['state'] == 'JOB_STATE_COMMITTED' and len(world.peer.runs) == 1


def test_damaged_record(world):
    """A damaged database is an error on every way to read it, is refused at start, and is saved as far as it goes."""
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    print('# seed %d' % seed)
    world.prepare()
    for _ in range(4):
        world.luctl('update', 'ds')
    db = os.path.join(world.state, 'lud.db')
    assert world.kill(signal.SIGTERM) == 0
    with open(db, 'rb') as f:
        good = f.read()
    world.start()
    overwrite(db, rng, 1)
    for command in (['release', 'list'], ['history'], ['show', 'ds', '2']):
        told = world.luctl(*command, code=1)
        assert 'damaged' in told and 'lud --recover' in told and db in told, told
    # What the machine says is shown all the same.
    told = world.luctl('status', code=1)
    assert 'damaged' in told, told
    told = world.luctl('update', 'ds', code=4)
    assert 'record-damaged' in told, told
    world.kill()
    for left in (name for name in os.listdir(world.state) if name.startswith('lud.db-')):
        os.unlink(os.path.join(world.state, left))
    with open(db, 'wb') as f:
        f.write(good)
    overwrite(db, rng, 0.3)
    start = subprocess.run([world.program('orchestrator/lud'), '--config', world.config],
                           capture_output=True, text=True, check=False, timeout=60)
    assert start.returncode == 4 and db in start.stderr and '--recover' in start.stderr, start
    saved = subprocess.run([world.program('orchestrator/lud'), '--config', world.config, '--recover'],
                           capture_output=True, text=True, check=False, timeout=60)
    if saved.returncode:
        # The list of tables was among the damaged pages: it says so, and the file stays for whoever knows more.
        assert saved.returncode == 4 and 'no row could be read' in saved.stderr, saved
        os.rename(db, db + '.lost')
    else:
        assert 'rows saved' in saved.stdout, saved
        assert any(name.startswith('lud.db.damaged-') for name in os.listdir(world.state))
    world.start()
    machines = [m['name'] for m in world.json('machine', 'list')['machines']]
    if not machines:
        world.luctl('machine', 'start', 'm', '--attach', world.peer.path)
    world.luctl('release', 'add', *world.kits)
    assert world.json('update', 'ds')['state'] == 'committed'


def test_moved_record(world):
    """A database that is removed or replaced under lud takes no more writes: it is told, jobs stand still, and go on
    when it is back."""
    world.prepare()
    world.luctl('update', 'ds')
    db = os.path.join(world.state, 'lud.db')
    for name in (db, db + '-wal'):
        os.rename(name, name + '.away')
        world.until(lambda: world.json('status')['record']['state'] == 'unwritable', 5)
        record = world.json('status')['record']
        assert name in record['text'] and 'removed or replaced' in record['text'], record
        assert 'put back' in record['remedy'] and 'backup' in record['remedy'], record
        assert 'removed or replaced' in world.luctl('update', 'ds', code=4)
        assert world.json('history')['generations']
        os.rename(name + '.away', name)
        world.until(lambda: world.json('status')['record']['state'] == 'well')
        assert world.json('update', 'ds')['state'] == 'committed'
    assert world.kill(signal.SIGTERM) == 0
    world.start(stop_at='forge.did')
    runs = len(world.peer.runs)
    with world.control() as control:
        asked = control.send(rerandomize={'services': ['ds']})
        world.wait_stopped()
        os.link(db, db + '.away')
        os.unlink(db)
        world.lud.send_signal(signal.SIGCONT)
        job = control.wait_reply(asked, 30)['jobs'][0]
    assert job['state'] == 'JOB_STATE_UNKNOWN' and job['cause']['name'] == 'record-unwritable', job
    os.rename(db + '.away', db)
    world.until(lambda: world.json('status')['record']['state'] == 'well')
    assert world.settle(job['id'])['state'] == 'JOB_STATE_COMMITTED' and len(world.peer.runs) == runs + 1
    os.replace(backup(world), db)
    world.until(lambda: world.json('status')['record']['state'] == 'unwritable', 5)
    assert world.kill(signal.SIGTERM) == 0
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    assert world.json('update', 'ds')['state'] == 'committed'


def lud_once(world, *options):
    return subprocess.run([world.program('orchestrator/lud'), '--config', world.config, *options],
                          capture_output=True, text=True, check=False, timeout=60, umask=0o022)


def test_recover(world):
    """What was saved is told; nothing to save is no success, and what was there stays."""
    db = os.path.join(world.state, 'lud.db')
    nothing = lud_once(world, '--recover')
    assert nothing.returncode == 4 and 'no record' in nothing.stderr and db in nothing.stderr, nothing
    assert not os.path.exists(db)
    world.prepare()
    world.luctl('update', 'ds')
    assert world.kill(signal.SIGTERM) == 0
    whole = lud_once(world, '--recover')
    assert whole.returncode == 0 and 'not damaged' in whole.stdout, whole
    with open(db, 'rb') as f:
        good = f.read()
    bad = random.randbytes(len(good))
    with open(db, 'wb') as f:
        f.write(bad)
    lost = lud_once(world, '--recover')
    assert lost.returncode == 4 and 'no row could be read' in lost.stderr and db in lost.stderr, lost
    assert 'backup' in lost.stderr, lost
    with open(db, 'rb') as f:
        assert f.read() == bad
    assert sorted(n for n in os.listdir(world.state) if n.startswith('lud.db')) == ['lud.db']
    # One page of rows.
    for page in range(len(good) // 4096 - 1, 0, -1):
        with open(db, 'wb') as f:
            f.write(good[:page * 4096] + bad[:4096] + good[(page + 1) * 4096:])
        saved = lud_once(world, '--recover')
        if saved.returncode == 0 and 'could not be read' in saved.stdout:
            break
    assert 'rows saved' in saved.stdout and 'could not be read' in saved.stdout, saved
    assert os.stat(db).st_mode & 0o777 == 0o600


def test_bad_disk(world):
    """lud does not start on a full or a read-only disk: it says which place, why and what to do, and touches nothing."""
    world.small_disk()
    if not world.disk:
        return

    full = ('No space left', 'disk is full')

    def refused(why):
        done = lud_once(world)
        assert done.returncode in (3, 4), done
        told = [line for line in done.stderr.splitlines() if ' error: ' in line]
        assert len(told) == 1 and world.state in told[0] and 'start lud again' in told[0], told
        assert any(word in told[0] for word in why), told

    ballast = fill(world.state)
    refused(full)
    os.unlink(ballast)
    world.prepare()
    world.luctl('update', 'ds')
    assert world.kill(signal.SIGTERM) == 0
    db = os.path.join(world.state, 'lud.db')
    with open(db, 'rb') as f:
        good = f.read()
    ballast = fill(world.state)
    refused(full)
    os.unlink(ballast)
    for how, why in (('ro', ['Read-only', 'readonly']), ('rw', None)):
        subprocess.run(['mount', '-o', 'remount,' + how, world.state], check=True)
        if why:
            refused(why)
    with open(db, 'rb') as f:
        assert f.read() == good
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    assert world.json('update', 'ds')['state'] == 'committed'


def test_silent_machine(world):
    """A machine that is not heard for 5 s is shown so, with the age of what is known of it, and back when it answers."""
    world.prepare()
    world.luctl('status')
    # One that has nothing to say is asked, and is not silent.
    world.until(lambda: world.peer.pings >= 8)
    assert 'silent' not in world.log()
    world.peer.awake.clear()
    began = time.monotonic()
    world.until(lambda: world.json('status')['machine']['state'] == 'silent', 12)
    assert time.monotonic() - began > 4
    status = world.json('status')
    assert status['stale'] and status['validity'] == 'stale' and status['source'] == 'memory'
    assert status['age_ms'] >= 4000 and status['as_of_us'] and status['machine']['heard_us']
    assert status['services'][0]['service']['state'] == 'none' and status['services'][0]['as_of_us']
    assert world.json('machine', 'list')['machines'][0]['state'] == 'silent'
    text = world.luctl('status')
    assert 'is silent' in text and ' s old' in text and 'running' not in text, text
    for command in (['update', 'ds'], ['rerandomize', '--all']):
        assert 'silent' in world.luctl(*command, code=4)
    # The next lud finds a machine that has never spoken to it.
    world.kill()
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'silent', 12)
    status = world.json('status')
    assert status['source'] == 'record' and status['validity'] == 'stale' and status['age_ms'] > 5000, status
    world.peer.awake.set()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    assert world.json('status')['validity'] == 'fresh'
    assert world.json('update', 'ds')['state'] == 'committed'


SILENCES = ['stage.begin', 'stage.chunk', 'run.begin', 'run.sent', 'run.accepted', 'confirm.begin']


def test_silent_in_jobs(world):
    """Silent in each step that needs the machine: who waits is told; the job goes on when it answers, once."""
    world.prepare()
    for place in SILENCES:
        assert world.kill(signal.SIGTERM) == 0
        world.start(stop_at=place)
        runs = len(world.peer.runs)
        with world.control() as control:
            asked = control.send(rerandomize={'services': ['ds']})
            world.wait_stopped()
            world.peer.awake.clear()
            world.lud.send_signal(signal.SIGCONT)
            world.until(lambda: world.json('status')['machine']['state'] == 'silent', 12)
            world.peer.awake.set()
            job = control.wait_reply(asked, 40)['jobs'][0]
            notices = [p['notice'] for p in control.progress if 'notice' in p]
        assert job['state'] == 'JOB_STATE_COMMITTED', (place, job)
        assert job['generation'] == world.running() and len(world.peer.runs) == runs + 1, place
        assert 'is silent' in notices[0] and 'answers' in notices[1], (place, notices)


def test_silent_for_good(world):
    """A job does not wait for ever: it ends with what it waited for; what was sent is settled when it is known."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('machine:\n  answer_timeout: "7s"\n')
    world.prepare()
    for place, code in (('forge.end', 1), ('stage.begin', 1), ('run.sent', 7), ('confirm.begin', 0)):
        assert world.kill(signal.SIGTERM) == 0
        world.start(stop_at=place)
        runs = len(world.peer.runs)
        luctl = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--socket', world.socket],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        world.wait_stopped()
        world.peer.awake.clear()
        world.lud.send_signal(signal.SIGCONT)
        _, told = luctl.communicate(timeout=40)
        assert luctl.returncode == code, (place, luctl.returncode, told)
        # The update is committed, checked, and not confirmed: it stands, and that is told.
        assert ('machine-silent' if code else 'not confirmed') in told and 'machine m' in told, (place, told)
        assert place.split('.', 1)[0].replace('forge', 'sign') in told, told
        world.peer.awake.set()
        world.until(lambda: world.json('status')['machine']['state'] == 'up')
        if place == 'run.sent':
            world.until(lambda: world.json('history', 'ds')['generations'][0]['state'] == 'running')
            job = world.json('history', 'ds')['generations'][0]['job']
            assert job['state'] == 'committed' and job['generation'] == world.running(), job
        assert len(world.peer.runs) == runs + (code != 1)
    assert world.json('update', 'ds')['state'] == 'committed'


def test_put_off_for_good(world):
    """A machine that is up and always asks to come back later: the job ends, and says why, and nobody spins."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('machine:\n  answer_timeout: "1s"\n')
    world.prepare()
    for fault, code, said in (('rate_order_%d' % harness.peer.UPDATE, 5, 'too many'), ('rate_admit', 1, 'too many'),
                              ('busy_status', 1, 'step sign waited 1 s')):
        world.peer.faults[fault] = often = 10000
        began = time.monotonic()
        told = world.luctl('update', 'ds', code=code)
        assert time.monotonic() - began < 6 and said in told, (fault, told)
        assert often - world.peer.faults[fault] < 60, (fault, world.peer.faults[fault])
        world.peer.faults[fault] = 0
    assert not world.peer.runs
    assert world.json('update', 'ds')['state'] == 'committed'


def test_copy_damaged_in_job(world):
    """What goes from the copy of a release in the middle of a job ends it, and adding the release again helps."""
    world.prepare()
    world.peer.booted.clear()
    assert world.kill(signal.SIGTERM) == 0
    world.start(stop_at='stage.begin')
    with subprocess.Popen([world.program('ctl/luctl'), 'rerandomize', 'ds', '--socket', world.socket],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as luctl:
        world.wait_stopped()
        copy, = os.listdir(world.state + '/releases')
        os.unlink('%s/releases/%s/state' % (world.state, copy))
        world.lud.send_signal(signal.SIGCONT)
        told = luctl.communicate(timeout=20)[1]
    assert luctl.returncode == 1 and copy + '/state' in told and 'luctl release add' in told, told
    world.luctl('release', 'add', *world.kits)
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'committed'


def backup(world):
    """A copy of the record as `sqlite3 .backup` makes it; its path."""
    path = os.path.join(world.dir, 'backup.db')
    source, copy = sqlite3.connect(os.path.join(world.state, 'lud.db')), sqlite3.connect(path)
    source.backup(copy)
    source.close()
    copy.close()
    return path


def restore(world, path):
    assert world.kill(signal.SIGTERM) == 0
    db = os.path.join(world.state, 'lud.db')
    for name in (db + '-wal', db + '-shm'):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    shutil.copyfile(path, db)
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')


def test_old_backup(world):
    """A record that is older than the machine is told, with what to do; numbers go on above the machine's."""
    world.prepare(2)
    world.luctl('update', 'ds')
    assert world.json('status')['record']['state'] == 'well'
    old = backup(world)
    world.kill()
    world.start()
    assert world.json('status')['record']['state'] == 'well'
    # An order that ran, one that only asked, and a generation that came without an order of this epoch.
    for what in (['rerandomize', 'ds'], ['update', 'ds', '--prepare-only'], None):
        if what:
            world.luctl(*what)
        else:
            world.peer.services['ds']['generation'] += 5
        runs, newest = world.running(), world.peer.newest
        restore(world, old)
        record = world.json('status')['record']
        assert record['state'] == 'behind' and 'machine m' in record['text'], record
        assert 'backup' in record['remedy'] and record['place'].endswith('lud.db'), record
        assert ('order 1.' if what else 'generation %d' % runs) in record['text'], record
        assert record['text'] in world.log() and 'older than the machines' in world.luctl('status', errors=True)
        assert world.json('machine', 'list')['record']['state'] == 'behind'
        job = world.json('update', 'ds')
        assert job['state'] == 'committed' and world.running() > runs and world.peer.newest > newest
        # No number is tried that the machine has seen: the update's order and its confirm.
        db = sqlite3.connect('file:%s/lud.db?mode=ro' % world.state, uri=True)
        assert [txn for txn, in db.execute('SELECT txn FROM orders WHERE job = ? ORDER BY id', (job['id'],))] == [
            newest[1] + 1, newest[1] + 2]
        db.close()
        assert len(world.peer.runs) == len(set(world.peer.runs))
        old = backup(world)
        world.kill()
        world.start()
        assert world.json('status')['record']['state'] == 'well'


def test_job_list(world):
    """Every job is in the record and can be asked for, those too that ended before they drew a generation."""
    world.prepare(2)
    world.pairing(loss=[LOST])
    world.luctl('update', 'ds', code=5)
    world.pairing()
    world.luctl('update', 'ds')
    world.pairing(loss=[LOST])
    world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex(), code=5)
    with world.control() as control:
        def jobs(**ask):
            reply = control.call(job_list=ask)
            return [j['id'] for j in reply.get('jobs', [])], reply.get('more', False)
        assert jobs() == ([3, 2, 1], False) and jobs(bare=True) == ([3, 1], False)
        assert jobs(limit=1) == ([3], True) and jobs(before=3, bare=True) == ([1], False)
        assert jobs(service='rs') == ([], False)
        last = control.call(job_list={'service': 'ds', 'limit': 1})['jobs'][0]
        assert last['state'] == 'JOB_STATE_REFUSED' and last['cause']['name'] == 'state-loss', last
        assert last['hint'] and last['identity'] and last['ended_us'] and not last.get('generation'), last


def test_queued(world):
    """Of two updates that are asked for at once, the second goes from what the first made."""
    world.prepare(2)
    first = world.release_id(world.kits[0]).hex()
    world.luctl('update', 'ds')
    back = world.json('update', 'ds', '--release', first)['generation']
    world.peer.faults['hold_result'] = 1
    with world.control() as control:
        update = control.send(update={'service': 'ds'})
        world.until(lambda: world.peer.withheld)
        rollback = control.send(rollback={'service': 'ds', 'to_generation': back})
        world.until(lambda: len(world.json('status')['open_jobs']) == 2)
        world.peer.release()
        update, rollback = control.wait_reply(update, 30), control.wait_reply(rollback, 30)
    assert update['state'] == rollback['state'] == 'JOB_STATE_COMMITTED', (update, rollback)
    assert update['from_generation'] == back, update
    assert rollback['from_generation'] == update['generation'], (update, rollback)
    # So it is known which release was left.
    releases = {r['counter']: r.get('blocked', 0) for r in world.json('release', 'list')['releases']}
    assert releases[2] and not releases[1], releases


def test_plan(world):
    """A plan says what would be done and why it would be refused, begins nothing, and has the same hash each time."""
    world.prepare(2)
    older, newer = [world.release_id(kit).hex() for kit in world.kits]
    world.luctl('update', 'ds', '--release', older)
    world.pairing(loss=[{'what': 'variable', 'text': 'variable store.c:keys'}], back={'loss': []})
    jobs, paired = world.json('jobs')['jobs'], len(world.peer.runs)
    told = world.json('plan', 'update', 'ds', code=4)
    part, = told['parts']
    assert told['refused'] and not told['hash'], told
    assert part['from_release'] == older and part['to_release'] == newer, part
    assert part['refused']['name'] == 'state-loss' and '--accept-loss' in part['hint'], part
    assert part['pairing']['n_lost'] == 1 and not part['back'].get('n_lost'), part
    told = world.json('plan', 'update', 'ds', '--accept-loss')
    part, = told['parts']
    assert len(told['hash']) == 128 and not told['refused'] and not part.get('refused'), told
    assert part['blackout_ns'] == 1234567 and part['blackout_of'] == 1, part
    assert told['hash'] == world.json('plan', 'update', 'ds', '--accept-loss')['hash']
    # What makes another plan: each term by itself.
    hashes = {told['hash']}
    for others in (('--timeout', '4s'), ('--hold', '5ms'), ('--layout', 'machine'), ('--release', older), ('--prepare-only',),
                   ('--state', 'request-free')):
        hashes.add(world.json('plan', 'update', 'ds', '--accept-loss', *others)['hash'])
    world.pairing(loss=[])
    hashes.add(world.json('plan', 'update', 'ds', '--accept-loss')['hash'])
    hashes.add(world.json('plan', 'update', 'ds')['hash'])
    assert len(hashes) == 9, hashes
    # A person reads the same.
    shown = world.luctl('plan', 'update', 'ds')
    assert re.search(r'^update on m$', shown, re.M) and 'loses nothing' in shown and re.search(r'^plan [0-9a-f]{128}$', shown, re.M)
    assert 'about 1.23 ms, the median of the last 1' in shown, shown
    # What would be refused before a job is made is told with its reason, too.
    for command, said in ((('update', 'nobody'), 'no service nobody'), (('update', 'ds', '--release', 'ffff'), 'no release ffff'),
                          (('rollback', 'ds'), 'no earlier release'), (('rerandomize', 'ds', '--layout', 'chance'), 'chance')):
        assert said in world.luctl('plan', *command, code=4, out=True), command
    # Nothing was begun.
    assert world.json('jobs')['jobs'] == jobs and len(world.peer.runs) == paired


def test_expect_plan(world):
    """With the hash of a plan that plan is carried out, or nothing is."""
    world.prepare(2)
    older, newer = [world.release_id(kit).hex() for kit in world.kits]
    world.luctl('update', 'ds', '--release', older)
    plan = world.json('plan', 'update', 'ds')['hash']
    told = world.luctl('update', 'ds', '--expect-plan', plan, '--timeout', '4s', code=5)
    assert 'not the plan that was meant' in told and 'luctl plan' in told, told
    world.pairing(moved=[{'text': 'a to b'}])  # which is no loss: it is told, and the plan is the same
    job = world.json('update', 'ds', '--expect-plan', plan)
    assert job['state'] == 'committed' and job['plan'] == plan, job
    assert newer.startswith(world.json('status')['services'][0]['release'])
    # What runs is another release now.
    assert 'not the plan' in world.luctl('update', 'ds', '--expect-plan', plan, code=5)
    # Several services, of which the hash is one.
    plan = world.json('plan', 'rerandomize', '--all')['hash']
    assert plan == world.json('plan', 'rerandomize', 'ds')['hash']
    moved = world.json('rerandomize', '--all', '--expect-plan', plan)['jobs']
    assert moved[0]['state'] == 'committed' and moved[0]['plan'] == plan, moved
    assert 'not the plan' in world.luctl('rerandomize', 'ds', '--layout', 'machine', '--expect-plan', plan, code=4)
    for wrong in ('', 'ab', 'x' * 128, plan + '0'):
        if wrong:
            assert '128 hexadecimal digits' in world.luctl('rerandomize', 'ds', '--expect-plan', wrong, code=2)
    # An update that waits is planned again when its turn comes.
    world.luctl('update', 'ds', '--release', older)
    plan = world.json('plan', 'update', 'ds', '--release', older)['hash']
    world.peer.faults['hold_result'] = 1
    with world.control() as control:
        first = control.send(update={'service': 'ds', 'release': newer})
        world.until(lambda: world.peer.withheld)
        second = control.send(update={'service': 'ds', 'release': older}, expect_plan=bytes.fromhex(plan))
        world.until(lambda: len(world.json('status')['open_jobs']) == 2)
        world.peer.release()
        first, second = control.wait_reply(first, 30), control.wait_reply(second, 30)
    assert first['state'] == 'JOB_STATE_COMMITTED', first
    assert second['state'] == 'JOB_STATE_REFUSED' and second['cause']['name'] == 'plan-changed', second
    assert newer.startswith(world.json('status')['services'][0]['release'])


def test_queued_rerandomize(world):
    """A new layout that waited while an update brought another release does not bring the old one back."""
    world.prepare(2)
    for layout in ('host', 'machine'):
        older, newer = [world.release_id(kit).hex() for kit in world.kits]
        world.luctl('update', 'ds', '--release', older)
        world.peer.faults['hold_result'] = 1
        with world.control() as control:
            update = control.send(update={'service': 'ds', 'release': newer})
            world.until(lambda: world.peer.withheld)
            move = control.send(rerandomize={'services': ['ds'], 'layout': layout})
            world.until(lambda: len(world.json('status')['open_jobs']) == 2)
            world.peer.release()
            update, move = control.wait_reply(update, 30), control.wait_reply(move, 30)['jobs'][0]
        assert update['state'] == 'JOB_STATE_COMMITTED', update
        assert move['state'] == 'JOB_STATE_FAILED' and 'another release of ds runs' in move['cause']['message'], move
        assert newer.startswith(world.json('status')['services'][0]['release']), layout
        world.luctl('rerandomize', 'ds', '--layout', layout)
        assert newer.startswith(world.json('status')['services'][0]['release']), layout


def test_one_at_a_time(world):
    """Jobs of two services are prepared side by side, and the machine has one transaction at a time, whatever becomes
    of lud."""
    kit = world.kit('tty', 1)
    world.peer.add_service('tty', world.release_id(kit))
    world.prepare()
    world.luctl('release', 'add', kit)
    with open(world.dir + '/fake_luforge', encoding='ascii') as f:
        good = f.read()
    world.install('fake_luforge', good.replace('def main():\n', 'def main():\n    __import__("time").sleep(3)\n'))
    world.peer.faults['hold_result'] = 1
    with world.control() as control:
        first = control.call(update={'service': 'ds', 'detach': True})['id']
        world.until(lambda: child_named(world, 'python3'))
        worker = int(child_named(world, 'python3')['Pid'])
        os.kill(worker, signal.SIGSTOP)
        world.install('fake_luforge', good)
        second = control.call(update={'service': 'tty', 'detach': True})['id']
        world.until(lambda: world.peer.withheld)
        os.kill(worker, signal.SIGCONT)

    def waits():
        """Whether the first job has come to where it needs the machine for itself, which the second has."""
        steps = [record(world, 'SELECT step FROM jobs WHERE id = %d' % job)[0] for job in (first, second)]
        return steps == [STEP_STAGE, STEP_RUN]
    world.until(waits)
    world.kill()
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    with world.control() as control:
        # It had its chance: what is asked now is answered after it.
        assert control.call(status={}) and waits()
    assert record(world, 'SELECT count(*) FROM job_steps WHERE job = %d AND step = %d' % (first, STEP_STAGE)) == (0,)
    assert len(world.peer.orders) == 1
    world.peer.release()
    assert [world.settle(job)['state'] for job in (first, second)] == ['JOB_STATE_COMMITTED'] * 2
    assert [o.service for o in world.peer.orders if o.action == harness.peer.UPDATE] == ['tty', 'ds']


def test_early_result(world):
    """A result that comes before lud has looked at its own order settles nothing; the job asks for it."""
    world.prepare()
    die(world, 'run.accepted', rerandomize={'services': ['ds']})
    world.until(lambda: world.peer.events)
    world.peer.faults['early_events'] = 1
    world.start()
    job = world.settle()
    assert job['state'] == 'JOB_STATE_COMMITTED' and not job.get('hint') and len(world.peer.runs) == 1, job
    assert not world.peer.faults['early_events'] and 'given up' not in world.log()


def test_stranger(world):
    """Another machine at the socket is named, is not believed and is ordered nothing; what is said to be done helps."""
    world.prepare()
    world.luctl('update', 'ds')
    orders, known = len(world.peer.orders), world.peer.machine_id
    world.kill()
    n_events, = record(world, 'SELECT count(*) FROM events')
    world.peer.reboot()
    world.peer.machine_id = os.urandom(16)
    world.peer.seq = 1000
    world.peer.events = [{'seq': 1001, 'clock_ns': 1, 'result': {'txn': 99, 'epoch': 1, 'outcome': 'OUTCOME_COMMITTED'}}]
    world.peer.faults['early_events'] = 1
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'down')
    assert 'another machine answers' in world.luctl('status')
    told = world.luctl('update', 'ds', code=4)
    assert 'luctl machine stop m' in told and 'under another name' in told, told
    assert len(world.peer.orders) == orders and not world.peer.statements
    assert record(world, 'SELECT count(*) FROM events') == (n_events,)
    assert record(world, "SELECT machine_id FROM machines WHERE name = 'm'") == (known,)
    world.luctl('machine', 'stop', 'm')
    world.luctl('machine', 'start', 'n', '--attach', world.peer.path)
    assert world.json('update', 'ds', '-m', 'n')['state'] == 'committed'
    # Nor does a second name for one machine make two of it.
    world.luctl('machine', 'stop', 'n')
    world.luctl('machine', 'start', 'o', '--attach', world.peer.path, code=4)
    assert 'another machine answers' in world.luctl('status', '-m', 'o')


@contextlib.contextmanager
def own_machine(world):
    """A machine of lud's own without QEMU: a process, deaf to SIGTERM, that is found as one, and a peer at its socket."""
    home = os.path.join(world.state, 'machines/m')
    path = os.path.join(home, 'port.sock')
    os.makedirs(home)
    deaf = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)'
    with harness.peer.Peer(path), subprocess.Popen([sys.executable, '-c', deaf, 'path=%s,' % path],
                                                   stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with open(home + '/qemu.pid', 'w', encoding='ascii') as f:
            f.write('%d\n' % process.pid)
        world.luctl('machine', 'start', 'm', '--attach', path)
        yield process, path


def test_ending(world):
    """A machine whose process was asked to end, and is slow to, is not taken up again before it has."""
    world.start()
    luctl = [world.program('ctl/luctl'), 'machine', 'stop', 'm', '--force', '--socket', world.socket]
    with own_machine(world) as (process, path):
        def machine():
            return world.json('machine', 'list')['machines'][0]
        assert machine()['state'] == 'up' and not machine().get('attached')
        stop = subprocess.Popen(luctl, stdout=subprocess.DEVNULL)
        world.until(lambda: machine()['state'] == 'connecting')
        assert 'runs already' in world.luctl('machine', 'start', 'm', code=4)
        assert 'busy' in world.luctl('machine', 'start', 'm', '--attach', path, code=1)
        assert 'busy' in world.luctl('machine', 'stop', 'm', '--force', code=1)
        assert process.poll() is None and process.wait(20) == -signal.SIGKILL
        assert stop.wait(20) == 0 and machine()['state'] == 'stopped'


def test_shutdown_not_recorded(world):
    """A shutdown that cannot be recorded is refused as every change is, and is told from one that may not be."""
    def answer():
        try:
            with world.control() as control:
                control.call(timeout=20, machine_stop={'machine': 'm', 'clean': True})
        except harness.wire.Refused as e:
            return e.error['class'], e.error['cause']['name']
        raise AssertionError('it is taken')
    world.start()
    with own_machine(world) as (process, _):
        with refused(world, 'INSERT ON jobs'):
            assert answer() == ('ERROR_INTERNAL', 'record')
        with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'), isolation_level=None)) as db:
            # A lock that lud has not met when it is asked: only planning finds it.
            world.until(lambda: world.json('status')['record']['state'] == 'well')
            db.execute('BEGIN IMMEDIATE')
            assert answer() == ('ERROR_UNAVAILABLE', 'record-unwritable')
            db.execute('ROLLBACK')
        assert process.poll() is None
        world.until(lambda: world.json('status')['record']['state'] == 'well')
        process.kill()


# As QEMU that makes itself a daemon: the process that stays, its pidfile; it returns when it is told, and as what.
FAKE_QEMU = '''#!/usr/bin/env python3
import os, subprocess, sys, time
pidfile = sys.argv[sys.argv.index('-pidfile') + 1]
word, = (word for word in sys.argv if 'port.sock' in word)
process = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', word], start_new_session=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
with open(pidfile + '.new', 'w') as f:
    f.write('%d\\n' % process.pid)
os.rename(pidfile + '.new', pidfile)
while not os.path.exists(os.path.dirname(pidfile) + '/return'):
    time.sleep(0.01)
with open(os.path.dirname(pidfile) + '/return') as f:
    sys.exit(int(f.read()))
'''


@contextlib.contextmanager
def launching(world):
    """A `machine start` that is under way, a peer that will be the machine, and a function that ends the launch."""
    world.install('fake_qemu', FAKE_QEMU)
    with open(world.config, encoding='ascii') as f:
        config = f.read()
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(config.replace('programs:\n', 'programs:\n  qemu: %s/fake_qemu\n' % world.dir) +
                'machine:\n  services: "ds"\n')
    world.start()
    kit = world.kit('ds', 1)
    world.luctl('release', 'add', kit)
    home = os.path.join(world.state, 'machines/own')
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'machine', 'start', 'own', '--socket', world.socket],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    world.until(lambda: os.path.exists(home + '/qemu.pid'))
    machine = harness.peer.Peer(home + '/port.sock')
    machine.machine_id, = record(world, "SELECT machine_id FROM machines WHERE name = 'own'")
    machine.add_service('ds', world.release_id(kit))
    machine.services['ds']['generation'], = record(world, 'SELECT max(number) FROM generations')

    def end(code):
        with open(home + '/return.new', 'w', encoding='ascii') as f:
            f.write(str(code))
        os.rename(home + '/return.new', home + '/return')
    with machine:
        yield luctl, machine, end
    with open(home + '/qemu.pid', encoding='ascii') as f, contextlib.suppress(ProcessLookupError):
        os.kill(int(f.read()), signal.SIGKILL)


def n_watched(world, pid):
    """By how many descriptors lud watches a process."""
    fds = '/proc/%d/fdinfo' % world.lud.pid
    return sum('\nPid:\t%d\n' % pid in open(os.path.join(fds, fd), encoding='ascii').read() for fd in os.listdir(fds))


def test_attach_in_launch(world):
    """To attach a machine that is being started waits for that start, and takes nothing up beside it."""
    with launching(world) as (luctl, machine, end), world.control() as control:
        asked = control.send(machine_start={'machine': 'own', 'attach': True, 'socket': machine.path})
        control.call(status={})
        end(0)
        listed = control.wait_reply(asked, 20)['machines']
        assert [m['state'] for m in listed] == ['MACHINE_UP'], listed
        assert luctl.wait(20) == 0
        with open(os.path.dirname(machine.path) + '/qemu.pid', encoding='ascii') as f:
            assert n_watched(world, int(f.read())) == 1


def test_failed_launch(world):
    """A start that fails is told to whoever waits for it, and to whoever wanted to attach the machine."""
    with launching(world) as (luctl, machine, end), world.control() as control:
        asked = control.send(machine_start={'machine': 'own', 'attach': True, 'socket': machine.path})
        control.call(status={})
        end(1)
        try:
            control.wait_reply(asked, 20)
            raise AssertionError('it is attached')
        except harness.wire.Refused as e:
            assert 'QEMU did not start' in str(e), e
        assert luctl.wait(20) == 1 and 'QEMU did not start' in luctl.stdout.read()
        # What runs all the same is not started a second time, and can be had.
        assert '--attach' in world.luctl('machine', 'start', 'own', code=4)
        world.luctl('machine', 'start', 'own', '--attach', machine.path)
        assert world.json('machine', 'list')['machines'][0]['state'] == 'up'


def test_left_open(world):
    """An open job that lud cannot take up bars nobody, and nobody is kept waiting for it."""
    world.prepare()
    die(world, 'seed.end', rerandomize={'services': ['ds']})
    job, = record(world, 'SELECT id FROM jobs')
    for step in (STEP_IMAGE, 99):
        world.kill()
        with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db:
            db.execute('UPDATE jobs SET step = %d WHERE id = %d' % (step, job))
            db.commit()
        world.start()
        assert 'job %d stays open: a job of its kind has no step %d' % (job, step) in world.log()
        assert world.json('update', 'ds')['state'] == 'committed'
        with world.control() as control:
            assert control.call(timeout=5, job_show={'job': job, 'wait': True})['state'] == 'JOB_STATE_OPEN'


def test_timeout(world):
    """The time given for a job bounds the steps of lud itself: it ends by then, says in which step, and leaves no
    worker; the next one works."""
    world.prepare(2)
    with open(world.dir + '/fake_luforge', encoding='ascii') as f:
        good = f.read()
    hangs = good.replace('def main():\n', 'def main():\n    __import__("time").sleep(60)\n')
    assert hangs != good
    runs = len(world.peer.runs)

    def late(step, *command):
        began = time.monotonic()
        told = world.luctl(*command, '--timeout', '2s', code=1)
        took = time.monotonic() - began
        assert 1.9 < took < 6, (step, took)
        assert 'job-timeout' in told and 'the 2 s' in told and 'step %s' % step in told and '--timeout' in told, told
        assert not world.json('status').get('open_jobs') and len(world.peer.runs) == runs
        world.until(lambda: child_named(world, 'python3') is None)

    world.install('fake_luforge', hangs)
    late('pair', 'update', 'ds')
    late('forge', 'update', 'ds', '--release', world.release_id(world.kits[0]).hex())
    # A lud that takes the job up again gives it no more time.
    world.luctl('update', 'ds', '--timeout', '3s', '--detach')
    world.until(lambda: child_named(world, 'python3'))
    worker = child_named(world, 'python3')['Pid']
    world.kill()
    # A worker does not outlive lud.
    world.until(lambda: not os.path.exists('/proc/' + worker), 2)
    time.sleep(3)
    began = time.monotonic()
    world.start()
    assert world.settle()['cause']['name'] == 'job-timeout' and time.monotonic() - began < 2.5
    world.install('fake_luforge', good)
    assert world.json('update', 'ds', '--timeout', '30s')['state'] == 'committed'
    runs += 1
    assert 20000 < world.peer.orders[-2].total_ms < 30000
    signer = int(child_named(world, 'lusign')['Pid'])
    os.kill(signer, signal.SIGSTOP)
    late('seed', 'rerandomize', 'ds')
    os.kill(signer, signal.SIGCONT)
    assert world.json('update', 'ds')['state'] == 'committed'


def test_second_machine(world):
    """A second machine changes nothing for bare commands; a machine that is removed keeps its history."""
    world.prepare()
    world.luctl('update', 'ds')
    other = harness.peer.Peer(os.path.join(world.dir, 'other.sock'))
    other.add_service('ds', world.release_id(world.kits[0]))
    with other:
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        assert world.json('status')['machine']['name'] == 'm'
        assert world.json('update', 'ds')['machine'] == 'm' and not other.runs
        assert world.json('update', 'ds', '-m', 'b')['state'] == 'committed' and len(other.runs) == 1
        marked = {m['name']: m['is_default'] for m in world.json('machine', 'list')['machines']}
        assert marked == {'m': True, 'b': False}
        world.luctl('machine', 'default', 'b')
        world.kill()
        world.start()
        assert world.json('status')['machine']['name'] == 'b'
        assert 'luctl machine stop b' in world.luctl('machine', 'remove', 'b', code=4)
        assert 'usage' in world.luctl('machine', 'remove', code=2)
        world.luctl('machine', 'stop', 'b')
        # What is to be done names the machine: the default one is another.
        world.luctl('machine', 'default', 'm')
        for command in (['update', 'ds'], ['restart', 'ds', '--keys', world.dir + '/keys'], ['rerandomize', '--all']):
            assert 'luctl machine start b' in world.luctl(*command, '-m', 'b', code=4), command
        world.luctl('machine', 'default', 'b')
        world.luctl('machine', 'remove', 'b')
        # The only one that is left is meant.
        assert world.json('status')['machine']['name'] == 'm'
        assert [m['name'] for m in world.json('machine', 'list')['machines']] == ['m']
        history = world.json('history', '-m', 'b')['generations']
        assert history and all(g['machine'] == 'b' for g in history)
        shown = world.json('show', 'ds', str(history[0]['generation']), '-m', 'b')
        assert shown['machine'] == 'b'
        # Two machines and no default: the error names both, and what to do.
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        assert len(world.json('history', '-m', 'b')['generations']) == len(history)
        told = world.luctl('status', code=4)
        assert 'm' in told and 'b' in told and '--machine' in told and 'machine default' in told, told
        world.luctl('machine', 'stop', 'b')


def test_no_identity(world):
    """A machine whose identity cannot be recorded is not started, and the refusal says so."""
    world.start()
    world.luctl('machine', 'start', 'lost', '--attach', world.dir + '/nobody.sock', code=4)
    world.kill()
    # One of lud's own that was found and never answered leaves such a row.
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db:
        db.execute('UPDATE machines SET attached = 0')
        db.execute("CREATE TRIGGER refuse BEFORE UPDATE OF machine_id ON machines"
                   " BEGIN SELECT RAISE(ABORT, 'no'); END")
        db.commit()
    world.start()
    for _ in range(2):
        told = world.luctl('machine', 'start', 'lost', code=4)
        assert 'lost: the machine has no identity yet' in told and 'recorded' in told and 'log of lud' in told, told


def test_blocked_release(world):
    """What was rolled back, by an operator or the machine, is not taken again unless somebody names it."""
    world.prepare(3)
    ids = [world.release_id(kit).hex()[:10] for kit in world.kits]
    world.json('update', 'ds', '--release', ids[0])
    world.json('update', 'ds', '--release', ids[2])
    assert world.json('rollback', 'ds')['state'] == 'committed'
    told = world.luctl('update', 'ds', code=4)
    assert 'blocked' in told and 'release 3' in told and 'release unblock' in told and '--release' in told, told
    assert 'rolled back for' in world.luctl('release', 'list')
    blocked = [r['counter'] for r in world.json('release', 'list')['releases'] if r['blocked']]
    assert blocked == [3]
    # Kits that are added again do not unblock; a rerandomization is no update.
    world.luctl('release', 'add', world.kits[2])
    world.luctl('update', 'ds', code=4)
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'committed'
    # Named, it is taken; once it runs it is free.
    assert world.json('update', 'ds', '--release', ids[2])['state'] == 'committed'
    assert world.json('update', 'ds')['state'] == 'committed'
    # So it is with a rollback that goes forward again.
    world.json('rollback', 'ds', '--to', '2')
    world.luctl('update', 'ds', code=4)
    world.json('rollback', 'ds', '--to', '3')
    assert world.json('update', 'ds')['state'] == 'committed'
    # The machine rolls it back: in the transfer it is the release's fault, in the preparation not.
    world.json('update', 'ds', '--release', ids[1])
    for step, code in (('prepare', 0), ('pair', 0), ('transfer', 4)):
        world.peer.rollback_step = step
        world.peer.faults['roll_back'] = 1
        world.luctl('update', 'ds', '--release', ids[2], code=6)
        world.luctl('update', 'ds', code=code)
        if not code:
            world.json('update', 'ds', '--release', ids[1])
    assert 'is not blocked' in world.luctl('release', 'unblock', 'ds', ids[0], code=4)
    world.luctl('release', 'unblock', 'ds', ids[2])
    assert world.json('update', 'ds')['state'] == 'committed'


def test_blocked_rebuild(world):
    """Of two releases with one number the one that was added last is the later: going back from it blocks it."""
    world.prepare()
    world.kits.append(world.kit('ds', 1, build=2))
    world.luctl('release', 'add', world.kits[1])
    world.json('update', 'ds', '--release', world.release_id(world.kits[0]).hex())
    assert world.json('update', 'ds')['state'] == 'committed'
    assert world.json('rollback', 'ds')['state'] == 'committed'
    told = world.luctl('update', 'ds', code=4)
    assert 'blocked' in told and 'release unblock' in told, told
    blocked = [r['release_id'] for r in world.json('release', 'list')['releases'] if r['blocked']]
    assert blocked == [world.release_id(world.kits[1]).hex()]
    # The other way it is no step back.
    world.json('update', 'ds', '--release', blocked[0])
    world.json('rollback', 'ds')
    world.json('rollback', 'ds', '--to', str(world.running() - 1))
    assert world.json('update', 'ds')['state'] == 'committed'


def test_many_releases(world):
    """A list that is too long for one answer has what was added last, and says how much it leaves out."""
    world.prepare()
    assert world.json('release', 'list')['left_out'] == 0 and 'left out' not in world.luctl('release', 'list')
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db:
        columns = [row[1] for row in db.execute('PRAGMA table_info(releases)') if row[1] != 'id']
        changed = {'release_id': 'randomblob(64)', 'service': '?1', 'counter': '?2'}
        copy = 'INSERT INTO releases (%s) SELECT %s FROM releases WHERE id = 1' % (
            ', '.join(columns), ', '.join(changed.get(column, column) for column in columns))
        for counter in range(2, 204):
            db.execute(copy, ('ds', counter))
        db.execute(copy, ('aa', 1))
        db.commit()
    listed = world.json('release', 'list')
    assert [(r['service'], r['counter']) for r in listed['releases']] == [('aa', 1)] + [('ds', n) for n in range(5, 204)]
    assert listed['left_out'] == 4
    assert '4 more, added before these, are left out: name a service' in world.luctl('release', 'list')
    assert '3 more, added before these, are left out\n' in world.luctl('release', 'list', 'ds')
    assert len(world.json('release', 'list', 'aa')['releases']) == 1 and 'left out' not in world.luctl('release', 'list', 'aa')


def test_reload(world):
    """SIGHUP takes what can change, names what cannot, and keeps everything when the file is wrong."""
    world.prepare()
    with open(world.config, encoding='ascii') as f:
        good = f.read()

    def reload(text, said):
        with open(world.config, 'w', encoding='ascii') as f:
            f.write(text)
        world.lud.send_signal(signal.SIGHUP)
        world.until(lambda: said in world.log())

    reload(good.replace('"400ms"', '"900ms"') + 'forge:\n  workers: "5"\n', 'forge.workers cannot change')
    assert 'update.timeout is changed' in world.log()
    reload(good + 'nonsense: 5\n', 'the configuration stays as it was')
    assert 'nonsense' in world.log()
    reload('allow_uid: "65534"\n' + good, 'allow_uid is changed')
    assert os.stat(world.socket).st_mode & 0o777 == 0o666
    assert world.json('update', 'ds')['state'] == 'committed'


def test_interrupted(world):
    """Ctrl-C ends luctl, says that the job goes on, and it does."""
    world.prepare()
    world.peer.faults['hold_result'] = 1
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--socket', world.socket],
                             stderr=subprocess.PIPE, text=True)
    world.until(lambda: world.peer.withheld)
    luctl.send_signal(signal.SIGINT)
    _, told = luctl.communicate(timeout=10)
    assert luctl.returncode == 130 and 'continues in lud' in told, (luctl.returncode, told)
    world.peer.release()
    assert world.settle()['state'] == 'JOB_STATE_COMMITTED'


def test_halted_lud(world):
    """A lud that stands still keeps nobody waiting for ever."""
    world.prepare()
    world.peer.faults['hold_result'] = 1
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--socket', world.socket],
                             stderr=subprocess.PIPE, text=True)
    world.until(lambda: world.peer.withheld)
    world.lud.send_signal(signal.SIGSTOP)
    try:
        _, told = luctl.communicate(timeout=50)
    finally:
        world.lud.send_signal(signal.SIGCONT)
    assert luctl.returncode == 3 and 'has not answered' in told, (luctl.returncode, told)
    # Its own pause is not the machine's silence.
    assert world.json('status')['machine']['state'] == 'up'
    world.peer.release()
    assert world.settle()['state'] == 'JOB_STATE_COMMITTED'


def half_open(world, n):
    """Connections that never say Hello."""
    peers = []
    for _ in range(n):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(world.socket)
        peers.append(sock)
    return peers


def test_crowded_socket(world):
    """Half-open, stalled and idle connections in any number lock nobody out, and end by themselves."""
    world.prepare()
    peers = half_open(world, 150)
    peers[-1].sendall(b'SAM1')  # a frame that never ends
    for _ in range(3):
        assert world.json('status')['machine']['state'] == 'up'
    assert world.json('update', 'ds')['state'] == 'committed'
    for sock in peers:
        sock.settimeout(15)
        while sock.recv(4096):
            pass
        sock.close()
    idle = [world.control() for _ in range(80)]
    assert world.json('status')['machine']['state'] == 'up'
    # One that waits for an answer keeps its place whatever comes.
    world.peer.faults['hold_result'] = 1
    with world.control() as waits:
        asked = waits.send(update={'service': 'ds'})
        world.until(lambda: world.peer.withheld)
        idle += [world.control() for _ in range(80)]
        world.peer.release()
        assert waits.wait_reply(asked, 30)['state'] == 'JOB_STATE_COMMITTED'
    for client in idle:
        client.sock.close()


def test_foreign_user(world):
    """The socket's permissions and the peer check keep other users out."""
    if os.getuid() != 0:
        return
    world.start()
    os.chmod(world.dir, 0o777)
    os.chmod(world.state, 0o777)
    os.chmod(world.socket, 0o777)
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(world.socket)
            os._exit(len(sock.recv(100)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def ask_as(world, uid, *args):
    """luctl run by another user: its exit status and what it said."""
    program = os.path.join(world.dir, 'luctl')  # the tree may be where nobody else may look
    if not os.path.exists(program):
        shutil.copy(world.program('ctl/luctl'), program)
        os.chmod(program, 0o755)
    with tempfile.TemporaryFile('w+') as said:
        def run():
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            os.chdir('/')
            os.execve(program, ['luctl', *args], {'SAMSARA_SOCKET': world.socket})
        code = as_user(uid, run)
        said.seek(0)
        return code, said.read()


ROLE_CASES = [  # of the requests of control.proto: what a role may, and what it may not
    ('viewer', [('status',), ('history',), ('jobs',), ('machine', 'list'), ('release', 'list')],
     [('update', 'ds', 'operator'), ('machine', 'stop', 'operator'), ('machine', 'default', 'm', 'admin'),
      ('release', 'unblock', 'ds', '00', 'release-manager')]),
    ('operator', [('update', 'ds'), ('status',)],
     [('machine', 'remove', 'm', 'admin'), ('release', 'unblock', 'ds', '00', 'release-manager')]),
    ('release-manager', [('status',)], [('rerandomize', 'ds', 'operator'), ('machine', 'default', 'm', 'admin')]),
    ('admin', [('machine', 'default', 'm'), ('rerandomize', 'ds')], []),
]


def test_roles(world):
    """What somebody may ask for is said by the configuration; a refusal says which role was missing."""
    if os.getuid() != 0:
        return
    world.prepare()
    with open(world.config, encoding='ascii') as f:
        good = f.read()
    for path in (world.dir, world.state):
        os.chmod(path, 0o755)
    reloads = 0
    for kind, number in (('user', 65534), ('group', 65534)):
        for role, may, may_not in ROLE_CASES:
            with open(world.config, 'w', encoding='ascii') as f:
                f.write('access:\n  %s/%d: %s\n' % (kind, number, role) + good)
            reloads += 1
            world.lud.send_signal(signal.SIGHUP)
            world.until(lambda: world.log().count('access is changed') == reloads)
            for command in may:
                code, said = ask_as(world, 65534, *command)
                assert code == 0, (role, command, code, said)
            for *command, needed in may_not:
                code, said = ask_as(world, 65534, *command)
                assert code == 4 and 'without the role ' + needed in said and 'lud\'s configuration' in said, (role, said)
    # Nobody again: who is connected is let go, and comes in no more.
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(good)
    world.lud.send_signal(signal.SIGHUP)
    world.until(lambda: world.log().count('access is changed') == reloads + 1)
    assert os.stat(world.socket).st_mode & 0o777 == 0o700
    os.chmod(world.socket, 0o777)
    code, said = ask_as(world, 65534, 'status')
    assert code == 3 and 'may not ask here' in world.log(), (code, said)


def test_reload_lets_go(world):
    """Who loses the last role is disconnected at once; the owner is not."""
    if os.getuid() != 0:
        return
    world.prepare()
    with open(world.config, encoding='ascii') as f:
        good = f.read()
    for path in (world.dir, world.state):
        os.chmod(path, 0o755)

    def reload(text, times):
        with open(world.config, 'w', encoding='ascii') as f:
            f.write(text)
        world.lud.send_signal(signal.SIGHUP)
        world.until(lambda: world.log().count('access is changed') == times)

    reload('access:\n  group/65534: viewer\n' + good, 1)
    ready, tell = os.pipe()
    guest = os.fork()
    if guest == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with world.control() as client:
                os.write(tell, b'.')
                client.sock.settimeout(20)
                while client.sock.recv(1000):
                    pass
            os._exit(0)
        finally:
            os._exit(1)
    assert os.read(ready, 1) == b'.'
    reload(good, 2)
    assert os.waitstatus_to_exitcode(os.waitpid(guest, 0)[1]) == 0
    assert 'may not ask here any more' in world.log()
    world.luctl('status')


def test_asked(world):
    """Who asked, in which role, and why, is in the history of a job."""
    world.prepare()
    job = world.json('update', 'ds', '--reason', 'CVE-2026-1: \u00e4 "fix"')
    assert job['reason'] == 'CVE-2026-1: \u00e4 "fix"' and job['way'] == 'local' and job['role'] == 'admin', job
    assert job.get('uid', 0) == os.getuid(), job
    shown = world.luctl('show', 'ds', str(job['generation']))
    assert re.search(r'reason +CVE-2026-1: \u00e4 "fix"\n', shown) and re.search(r'role +admin, by the way local\n', shown)
    for reason in ('x' * 200, 'two\nlines', 'a\x7f'):
        assert 'in one line' in world.luctl('update', 'ds', '--reason', reason, code=4)
    assert not world.json('update', 'ds').get('reason')


def test_request_id(world):
    """A request that comes again is answered with the job of the first; one that asks for something else is refused."""
    world.prepare()
    first = world.json('rerandomize', 'ds', '--request-id', 'nightly:1')['jobs'][0]
    again = world.json('rerandomize', 'ds', '--request-id', 'nightly:1', '--reason', 'another')['jobs'][0]
    assert first['id'] == again['id'] and first['generation'] == again['generation'], (first, again)
    assert first['request_id'] == 'nightly:1' and not again.get('reason')
    told = world.luctl('update', 'ds', '--request-id', 'nightly:1', code=4)
    assert 'belongs to another request' in told, told
    assert world.json('rerandomize', 'ds', '--request-id', 'nightly:2')['jobs'][0]['id'] != first['id']
    # Without an id each request is one of its own.
    assert world.json('update', 'ds')['id'] != world.json('update', 'ds')['id']
    for wrong in ('a b', 'x' * 64, '\u00e4', '%s'):
        assert 'up to 63 letters' in world.luctl('update', 'ds', '--request-id', wrong, code=4)
    # Of a job that is open, both wait for the same end; a lud that was killed knows it, too.
    world.peer.faults['hold_result'] = 1
    with world.control() as one, world.control() as two:
        asked = one.send(update={'service': 'ds'}, request_id='open')
        world.until(lambda: world.peer.withheld)
        asked_again = two.send(update={'service': 'ds'}, request_id='open')
        world.peer.release()
        ends = [one.wait_reply(asked, 30), two.wait_reply(asked_again, 30)]
    assert ends[0]['id'] == ends[1]['id'] and ends[0]['state'] == ends[1]['state'] == 'JOB_STATE_COMMITTED', ends
    world.kill()
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    known = world.json('rerandomize', 'ds', '--request-id', 'nightly:1')['jobs'][0]
    assert known['id'] == first['id'] and known['state'] == 'committed', known


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as f:
        return [int(child) for child in f.read().split()]


def status_of(pid):
    """What the kernel says of a process."""
    with open('/proc/%d/status' % pid, encoding='utf-8') as f:
        return dict(line.rstrip('\n').split(':\t', 1) for line in f if ':\t' in line)


def child_named(world, name):
    found = [status_of(child) for child in children(world.lud.pid)]
    return next((status for status in found if status['Name'].startswith(name)), None)


def assert_confined(status, uid):
    assert status['Uid'].split() == status['Gid'].split() == [str(uid)] * 4, status
    assert not status['Groups'].split() or uid == os.getuid(), status
    assert status['NoNewPrivs'] == '1' and status['Seccomp'] == '2', status
    assert uid == 0 or int(status['CapEff'], 16) == 0, status


def as_user(uid, what):
    """Runs something as another user; its result, a small number."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os._exit(what())
        finally:
            os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_signer_user(world):
    """The signer is another user than lud, in a sandbox, and cannot write where lud does."""
    world.prepare()
    world.luctl('update', 'ds')
    uid = SIGNER_UID if os.getuid() == 0 else os.getuid()
    signer = child_named(world, 'lusign')
    assert_confined(signer, uid)
    if os.getuid() != 0:
        assert 'the signer runs as lud' in world.log()
        return
    assert 'the signer runs as uid %d' % uid in world.log()

    def spoil():
        done = 0
        for path in ('/releases/x', '/variants/x', '/lud.db', '/x', '/tmp/x'):
            try:
                with open(world.state + path, 'ab'):
                    done += 1
            except OSError:
                pass
        for name in ('variant.pem', 'order.pem', 'signer.log', 'rules'):
            try:
                with open(os.path.join(world.dir, 'keys', name), 'ab'):
                    done += 1
            except OSError:
                pass
        return done

    os.chmod(world.dir, 0o755)
    assert as_user(uid, spoil) == 0
    # It still signs, and its log is on.
    with open(world.dir + '/keys/signer.log', encoding='ascii') as f:
        lines = len(f.readlines())
    world.luctl('rerandomize', 'ds')
    with open(world.dir + '/keys/signer.log', encoding='ascii') as f:
        assert len(f.readlines()) > lines


def hostile_report(world, ask, code):
    """What a hostile worker could do, what the kernel says of it, and what luctl tells."""
    for name, mode in (('hold', 0o644), ('report', 0o666)):
        with open(os.path.join(world.dir, name), 'w', encoding='ascii'):
            pass
        os.chmod(os.path.join(world.dir, name), mode)
    luctl = subprocess.Popen([world.program('ctl/luctl'), *ask, '--socket', world.socket],
                             stderr=subprocess.PIPE, text=True)
    world.until(lambda: os.path.getsize(world.dir + '/report'))
    status = next(s for s in map(status_of, children(world.lud.pid)) if s['Name'] != 'lusign')
    os.unlink(world.dir + '/hold')
    _, told = luctl.communicate(timeout=40)
    assert luctl.returncode == code, (luctl.returncode, told)
    with open(world.dir + '/report', encoding='ascii') as f:
        return json.load(f), status, told


def test_hostile_forge(world):
    """A forge worker that somebody has taken over gets at nothing but its own bench."""
    world.prepare()
    world.luctl('update', 'ds')
    before = stored(world)
    with open(world.dir + '/hostile.json', 'w', encoding='ascii') as f:
        json.dump({'lud': world.lud.pid, 'state': world.state, 'keys': sorted(os.listdir(world.dir + '/keys'))}, f)
    with open(os.path.join(harness.HERE, 'hostile_luforge.py'), encoding='ascii') as f:
        world.install('fake_luforge', f.read().replace('@WORLD@', world.dir))
    root = os.getuid() == 0
    for ask, code in ((('update', 'ds'), 1), (('release', 'add', world.kits[0]), 4)):
        report, status, told = hostile_report(world, ask, code)
        assert_confined(status, FORGE_UID if root else os.getuid())
        tried = report['tried']
        for name in ('control socket', 'network', 'trace', 'name space', 'clone'):
            assert tried[name] == 'EPERM', (name, tried)
        assert tried.pop('own bench') == 'done' and tried.pop('clone3') == 'ENOSYS', tried
        if root:
            assert set(tried.values()) == {'EPERM', 'EACCES'} and 'key root.pem' in tried, tried
        assert report['environment'] == ['LC_ALL', 'PATH', 'TMPDIR'], report
        assert max(report['open']) <= 6, report
        most = {'CORE': 0, 'NOFILE': 256, 'AS': 8 << 30, 'FSIZE': 1 << 30, 'CPU': 600}
        assert all(0 <= report['limits'][name] <= limit for name, limit in most.items()), report
        # The bait is not taken: what a worker makes is a file, or a directory of files.
        assert 'cannot be put in place' in told, told
    assert not root or stored(world) == before
    assert os.listdir(world.state + '/tmp') == []
    assert world.peer.services['ds']['generation'] == world.running()
    assert ('each forge worker runs as uid %d' % FORGE_UID if root else 'each forge worker runs as lud') in world.log()


# Put into the fake luforge: the real one's payload with a byte changed, and a build id that is right again.
CHANGE = """    done = subprocess.run([luforge, *sys.argv[1:]], close_fds=False)
    if command == 'variant' and not done.returncode:
        with open(options['--out'], 'r+b') as f:
            payload = bytearray(f.read())
            payload[%s] ^= 1
            payload[88:120] = bytes(32)
            payload[88:120] = hashlib.blake2b(payload).digest()[:32]
            f.seek(0)
            f.write(payload)
    sys.exit(done.returncode)
"""


def test_forge_changes(world):
    """A payload of which the forge changed one byte is well formed, and the signer does not sign it."""
    world.prepare()
    with open(world.dir + '/fake_luforge', encoding='ascii') as f:
        good = f.read()
    execs = "    os.execv(luforge, ['luforge', *sys.argv[1:]])\n"
    assert execs in good
    # Code, which the segment has behind its pads; the entry point; the last byte.
    for place in ('payload.index(b"machine code")', '56', '-1'):
        changed = good.replace(execs, CHANGE % place).replace('import sys\n', 'import subprocess\nimport sys\n')
        world.install('fake_luforge', changed)
        told = world.luctl('rerandomize', 'ds', '--layout', 'host', code=1)
        assert 'other-layout' in told and 'step sign' in told and 'luforge verify' in told, (place, told)
        assert not world.peer.seeds and not world.peer.orders
    with open(world.dir + '/keys/signer.log', encoding='ascii') as f:
        log = f.read()
    assert log.count('refused op 2: the layout: ') == 3 and 'variant machine' not in log, log
    world.install('fake_luforge', good)
    assert world.json('rerandomize', 'ds', '--layout', 'host')['jobs'][0]['state'] == 'committed'


def test_users(world):
    """The configuration's users are taken as they are, or lud does not start; none is told."""
    with open(world.config, encoding='ascii') as f:
        good = f.read()

    def start(text):
        with open(world.config, 'w', encoding='ascii') as f:
            f.write(good + text)
        return subprocess.run([world.program('orchestrator/lud'), '--config', world.config], check=False,
                              capture_output=True, text=True, timeout=20)

    if os.getuid() != 0:
        return
    for text, said in (('signer:\n  user: no-such-user\n', 'there is no such user'),
                       ('forge:\n  user: root\n', 'it is root'), ('forge:\n  user: "0"\n', 'it is root'),
                       ('signer:\n  user: "60900"\nforge:\n  user: "60900"\n', 'the same')):
        done = start(text)
        assert done.returncode == 3 and said in done.stderr and 'user' in done.stderr, (text, done)
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(good + 'signer:\n  user: none\nforge:\n  user: "60900"\n')
    world.prepare()
    world.luctl('update', 'ds')
    assert 'the signer runs as root, like lud' in world.log()
    assert 'each forge worker runs as uid 60900' in world.log()
    assert_confined(child_named(world, 'lusign'), 0)
    store = os.stat(world.state + '/releases')
    assert store.st_gid == 60900
    # Another user takes the store over.
    world.kill(signal.SIGTERM)
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(good)
    world.start()
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'committed'
    stored(world)


def test_one_user(world):
    """Where root can become nobody else, everything works as root, and the log says so; a named user must be had."""
    inside = ('unshare', '--map-root-user')
    if subprocess.run([*inside, 'true'], check=False, capture_output=True).returncode:
        return
    os.chmod(world.dir, 0o711)
    world.kits = [world.kit('ds', 1)]
    world.peer.add_service('ds', world.release_id(world.kits[0]))
    world.start(inside=inside)
    world.luctl('release', 'add', *world.kits)
    world.luctl('machine', 'start', 'm', '--attach', world.peer.path)
    assert world.json('update', 'ds')['state'] == 'committed'
    for what in ('the signer', 'each forge worker'):
        assert what + ' runs as root, like lud' in world.log()
    assert child_named(world, 'lusign')['Seccomp'] == '2'
    world.kill(signal.SIGTERM)
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('signer:\n  user: "60900"\n')
    done = subprocess.run([*inside, world.program('orchestrator/lud'), '--config', world.config], check=False,
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 3 and 'signer.user' in done.stderr and 'cannot run as 60900' in done.stderr, done


# How many of each group run side by side.
N_SIDE_BY_SIDE = {'faults': 5, 'main': 2}
# Tests that wait for limits to pass: a test of their own.
FAULTS = ('disk_full', 'disk_full_in_jobs', 'damaged_record', 'silent_machine', 'silent_in_jobs', 'silent_for_good',
          'crowded_socket', 'halted_lud', 'locked_record', 'timeout', 'moved_record', 'recover',
          'bad_disk', 'ending', 'shutdown_not_recorded',
          'attach_in_launch', 'failed_launch', 'standing_truth', 'standing_renewal')

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


def test_restarts(world):
    """Many services that start afresh at once cost few questions, and the last layout is the one that is recorded."""
    world.prepare()
    number = world.json('rerandomize', 'ds', '--layout', 'host')['jobs'][0]['generation']
    before = world.peer.n_status
    with world.peer.lock:  # no answer before all have started
        for _ in range(300):
            world.peer.crash('ds')
    world.until(lambda: f'{number}.300 ' in world.luctl('history', 'ds'))
    # One of lud's own, one behind it, and one for each look at the record, should that ask.
    assert world.peer.n_status - before < 100, world.peer.n_status - before


def refused_standing(world, ask):
    """The code that a standing order is refused with."""
    with world.control() as control:
        try:
            control.call(standing=ask)
        except harness.wire.Refused as e:
            return e.error['cause']['name']
    return 'not refused'


def test_standing_sizes(world):
    """More services and quiet times than a standing order holds are refused, also of one that is to end another."""
    world.prepare()
    quiet = [{'from_sec': 86000 + i % 300, 'until_sec': 86399} for i in range(9)]
    for ask in ({'services': ['ds'] * 65}, {'services': ['ds'] * 4000}, {'services': ['ds'] * 4000, 'every_ms': 0},
                {'quiet': quiet}, {'quiet': quiet * 60, 'every_ms': 0}, {'quiet': quiet[:1], 'every_ms': 50},
                {'for_ms': 2 ** 63}):
        assert refused_standing(world, {'every_ms': 20000, **ask}) == 'times', ask
    # A machine whose services have longer names than a kit can give them.
    long = ['x%0200d' % i for i in range(20)]
    for name in long:
        world.peer.add_service(name, bytes(64))
    world.luctl('status')
    assert refused_standing(world, {'every_ms': 20000, 'services': long}) == 'too-many'


def test_standing_truth(world):
    """What a machine has is the machine's word: whatever the record says of it, it is brought to what is wanted, and
    until it is, the status says why not."""
    world.prepare()

    def amiss():
        return world.json('status')['standing_amiss']

    def gives_again(lost):
        taken, world.peer.standing = world.peer.n_standing, lost
        world.luctl('status')
        assert 'within some seconds' in amiss(), world.json('status')
        world.until(lambda: world.peer.n_standing == taken + 1)
        world.until(lambda: not amiss())
        world.luctl('status')
        assert world.peer.n_standing == taken + 1
    world.luctl('rerandomize', 'ds', '--every', '20s')
    first = dict(world.peer.standing)
    assert first['state'] == 'STANDING_RUNNING' and not amiss(), first
    gives_again(None)                                                   # put back to a snapshot
    assert world.peer.standing == dict(first, number=first['number'] + 1, expires=world.peer.standing['expires'])
    gives_again(dict(world.peer.standing, state='STANDING_EXPIRED'))    # the clocks do not agree
    gives_again(dict(world.peer.standing, number=70, every_ms=5000))    # the record is an old copy
    assert (world.peer.standing['number'], world.peer.standing['every_ms']) == (71, 20000)
    world.luctl('rerandomize', '--every', 'off')
    gives_again(dict(world.peer.standing, state='STANDING_RUNNING', number=80))
    assert world.peer.standing['state'] == 'STANDING_WITHDRAWN' and world.peer.standing['number'] == 81
    world.luctl('rerandomize', 'ds', '--every', '20s')
    # A newer root ends it, and the machine learns of that root by the next one: it is given a statement first.
    n_stated = len(world.peer.statements)
    world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
    world.until(lambda: world.peer.standing['epoch'] == 2)
    assert len(world.peer.statements) == n_stated + 1 and 'the standing order' not in world.log(), world.log()
    world.until(lambda: not amiss())
    # No number is above this one: none is given, and 0 least of all.
    taken, had = world.peer.n_standing, dict(world.peer.standing)
    world.peer.standing = dict(had, state='STANDING_RUNNING', number=2 ** 64 - 1)
    world.until(lambda: 'the highest number' in amiss())
    assert 'stop the machine' in world.luctl('status') and world.peer.n_standing == taken
    world.peer.standing = had
    world.until(lambda: not amiss())
    # One that cannot be given: status says so, with the remedy, and the log once.
    world.peer.faults['refuse_standing'] = 2
    world.peer.standing = None
    world.until(lambda: 'another boot' in amiss(), seconds=40)
    told = world.luctl('status')
    assert 'standing order: the machine has not the one that is wanted: made for another boot' in told, told
    assert '`luctl status`' in told, told
    world.until(lambda: not amiss(), seconds=40)
    assert world.log().count('the standing order: made for another boot') == 1, world.log()


def standing_ends(world, sec):
    """lud comes back as if time had passed: the machine's standing order ends in so many seconds."""
    world.kill()
    ends = int(time.time()) + sec
    db = sqlite3.connect(world.state + '/lud.db')
    db.execute('UPDATE standings SET expires = ?', (ends,))
    db.commit()
    db.close()
    world.peer.standing['expires'] = ends
    world.start()


def test_standing_renewal(world):
    """An order is renewed when a quarter of a day is left of it, and under a newer root, each time after the kits that it
    needs; one that is to end is not made longer."""
    hour = 3600
    world.prepare()
    world.luctl('update', 'ds')
    assert not world.peer.kits
    # The kit of what the host made is shown first; one that the machine does not take is told.
    world.peer.faults['refuse_kit'] = 1
    assert 'its key is over' in world.luctl('rerandomize', 'ds', '--every', '20s', code=4)
    assert not world.peer.n_standing
    world.until(lambda: world.peer.n_standing == 1 and not world.json('status')['standing_amiss'])
    kit, = world.peer.kits.values()
    assert kit.release_id == world.release_id(world.kits[0])
    # A look at the machine ends with its status: two of them, and nothing was given.
    standing_ends(world, 6 * hour + 600)
    statuses = world.peer.n_status
    world.until(lambda: world.peer.n_status >= statuses + 3)
    assert world.peer.n_standing == 1
    standing_ends(world, 6 * hour - 600)
    world.until(lambda: world.peer.n_standing == 2)
    assert world.peer.standing['expires'] > time.time() + 23 * hour, world.peer.standing
    epoch = world.peer.standing['epoch']
    world.peer.kits.clear()
    world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
    world.until(lambda: world.peer.n_standing == 3)
    assert world.peer.standing['epoch'] > epoch and kit.release_id in world.peer.kits
    # One that is wanted for an hour ends then.
    world.luctl('rerandomize', 'ds', '--every', '20s', '--for', '1h')
    assert world.peer.n_standing == 4 and world.peer.standing['expires'] <= time.time() + hour + 2
    world.kill()
    world.start()
    statuses = world.peer.n_status
    world.until(lambda: world.peer.n_status >= statuses + 3)
    assert world.peer.n_standing == 4


def run_group(names, n_side_by_side):
    """Each test in a process of its own, several at a time, for they wait a lot. True if one failed."""
    def run(name):
        started = time.monotonic()
        return name, subprocess.run([sys.executable, __file__, sys.argv[1], name], check=False, capture_output=True,
                                    text=True), time.monotonic() - started
    failed = False
    with concurrent.futures.ThreadPoolExecutor(n_side_by_side) as pool:
        for number, (name, done, seconds) in enumerate(pool.map(run, names), 1):
            print('%sok %d %s # %.1f s' % ('not ' if done.returncode else '', number, name, seconds), flush=True)
            if done.returncode:
                failed = True
                print(done.stdout + done.stderr, flush=True)
    return failed


def main():
    tests = {n[5:]: f for n, f in globals().items() if n.startswith('test_')}
    groups = {'faults': FAULTS, 'main': [n for n in tests if n not in FAULTS]}
    chosen = sys.argv[2:] or list(tests)
    if len(chosen) == 1 and chosen[0] in groups:
        return run_group(groups[chosen[0]], N_SIDE_BY_SIDE[chosen[0]])
    for number, name in enumerate(chosen, 1):
        with harness.World(sys.argv[1]) as world:
            tests[name](world)
        print('ok %d %s' % (number, name), flush=True)
    return 0


sys.exit(main())
