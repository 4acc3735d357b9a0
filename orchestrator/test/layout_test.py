#!/usr/bin/env python3
"""Layouts: made by the host or by the machine, known to whom they may be, and moves out of those of the boot.

Usage: layout_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import sqlite3
import time

import harness
from harness import MOVED, configured, copy_stored, damage, formats, holds, is_moved, made, moves, record, stored


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
    assert 'chance' in world.luctl('rerandomize', 'ds', '--layout', 'chance', code=2)
    n_orders = len(world.peer.orders)
    for command in (('rerandomize', 'ds'), ('update', 'ds', '--release', world.release_id(world.kits[0]).hex())):
        for recipe in ('9', '33', '3u', 'newest'):
            told = world.luctl(*command, '--recipe', recipe, code=2)
            assert 'no recipe of layouts is called %s; known: %d' % (recipe, formats.RECIPE) in told, told
    assert len(world.peer.orders) == n_orders
    made(world, 'rerandomize', 'ds', '--layout', 'machine', '--recipe', str(formats.RECIPE))


def test_host_made(world):
    """A layout that lud made goes with its seed and the flat kit, once a release; no file on the host has the seed."""
    world.prepare(2)
    world.luctl('update', 'ds')
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


def test_known_outside(world):
    """Who knows a layout is told of the one that runs: after a crash that is one of the machine's own."""
    begin_us = time.time() * 10**6
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
    # When it made the first and the last of them, and what proves all of them.
    run = now['made_first_us'], now['made_last_us']
    assert begin_us - 10**6 <= run[0] <= run[1] <= time.time() * 10**6 + 10**6, (begin_us, run)
    assert now['made_head'] == world.peer.services['ds']['made_head'].hex() in text, (now, text)
    assert re.search('^made +2, the first .+, the last .+$', text, re.M), text
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
    assert (past['made_first_us'], past['made_last_us']) == run and not past['made_head'], past


def test_many_names(world):
    """A machine that names ever other services does not fill the record: a move asks for 64 jobs at most."""
    world.prepare()
    kits = {name: world.kit(name, 1) for name in ('fs', 'aa')}  # the last that is asked for, and one too many
    world.luctl('release', 'add', *kits.values())
    configured(world, MOVED)
    world.peer.faults['hold_result'] = 1
    world.peer.boot_anew()
    world.until(lambda: world.peer.withheld)
    world.kill()
    moved_names(world, 62)
    for name, kit in kits.items():
        world.peer.add_service(name, world.release_id(kit))
    world.start()
    world.until(lambda: world.json('machine', 'list')['machines'][0]['state'] == 'up')
    world.peer.release()
    move, = record(world, 'SELECT min(id) FROM jobs')
    ended = world.settle(move)
    assert ended['cause']['name'] == 'not-moved' and ended['cause']['message'].endswith(': aa'), ended
    assert record(world, 'SELECT count(*) FROM jobs WHERE parent = %d' % move) == (64,)
    configured(world, '')


def moved_names(world, n):
    """The record gets so many jobs more that the move asked for, for services that are not there any more."""
    child, = record(world, 'SELECT max(id) FROM jobs')
    with contextlib.closing(sqlite3.connect(world.state + '/lud.db')) as db, db:
        names = [c[1] for c in db.execute('PRAGMA table_info(jobs)') if c[1] not in ('id', 'service', 'ended_us', 'state')]
        for i in range(n):
            db.execute("INSERT INTO jobs(service, ended_us, state, %s) SELECT 'x%d', 1, 2, %s FROM jobs WHERE id = %d" % (
                ', '.join('"%s"' % c for c in names), i, ', '.join('"%s"' % c for c in names), child))


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
        ('ds', 'rerandomize', 'machine', 'confirmed', move['id'], f'lud, job {move["id"]}')], children
    asked = [{k: c[k] for k in ('job', 'service', 'kind', 'state')} for c in world.json('job', 'show', str(move['id']))['children']]
    assert asked == [{'job': children[0]['id'], 'service': 'ds', 'kind': 'rerandomize', 'state': 'confirmed'}], asked
    for job in (move, children[0]):  # the same tree; the steps are of the one that is shown
        tree = world.luctl('job', 'show', str(job['id']), errors=False).split('DETAIL')[1].splitlines()[1:]
        assert tree[0].startswith('job %d: move ' % move['id']), tree
        assert any('job %d: rerandomize ds' % children[0]['id'] in line for line in tree[1:]), tree
    assert any('order' in line and ' ms' in line for line in tree[2:]), tree
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


def test_boot_layouts_of_kits(world):
    """Whether it keeps kits is what the machine says, whatever the configuration says by now."""
    world.prepare()
    world.peer.keeps_kits = False
    configured(world, MOVED)
    world.peer.boot_anew()
    world.until(lambda: 'its services stay in those' in world.log())
    assert not moves(world)[0]
    world.peer.keeps_kits = True
    configured(world, MOVED + f'kits:\n  m: none\nsigner:\n  second: {world.dir}/none.sock\n')
    world.peer.boot_anew()
    world.until(lambda: is_moved(world, 1))
    assert world.log().count('its services stay in those') == 1


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
            job = control.wait_reply(asked, 100)['jobs'][0]
        assert job['state'] == 'JOB_STATE_CONFIRMED' and world.peer.orders[-2].epoch == n + 2, (place, job)
        assert world.kill(signal.SIGTERM) == 0


def test_machine_made_refused(world):
    """What the machine, the signer or the kit's store stands against is told, and nothing is run."""
    world.prepare(2)
    world.peer.faults['refuse_kit'] = 1
    told = world.luctl('update', 'ds', '--layout', 'machine', code=7)
    assert 'E_V_KEY_EXPIRED' in told and not world.peer.orders, told
    for fault in ('not_made', 'other_release'):
        world.peer.faults[fault] = 1
        told = world.luctl('rerandomize', 'ds', '--layout', 'machine', code=6)
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
        told = world.luctl('rerandomize', 'ds', '--layout', 'machine', code=7 if said == 'payload-mismatch' else 1)
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
    assert world.json('rerandomize', 'ds', '--layout', 'host')['jobs'][0]['state'] == 'confirmed'


harness.main(globals(), 2)
