#!/usr/bin/env python3
"""What two releases have in common, what is lost between them, and releases that are blocked.

Usage: pairing_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import hashlib
import os
import signal
import subprocess

import harness
from harness import LOST

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
    told = world.luctl('update', 'ds', code=4)
    for text in ('lost: variable store.c:keys', 'lost if in use: elements from [4] of store.c:v',
                 '`luctl update ds --accept-loss`', 'STATE_DROPPED', 'in step pair', 'state-loss'):
        assert text in told, (text, told)
    world.luctl('update', 'ds', '--prepare-only', code=4)
    assert world.running() == 1 and not world.peer.staged and not world.peer.orders
    assert not world.json('history').get('generations'), 'something was drawn'

    keys = ('--keys', world.dir + '/keys')
    assert 'control key' in world.luctl('update', 'ds', '--accept-loss', '--keys', world.dir, code=7)
    assert '--no-wait exclude' in world.luctl('update', 'ds', '--accept-loss', '--no-wait', code=2)
    environment = {**os.environ, 'SAMSARA_SOCKET': world.socket}
    done = subprocess.run([world.program('ctl/luctl'), 'update', 'ds', '--accept-loss', *keys], env=environment,
                          check=False, capture_output=True, text=True, timeout=100)
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

    told = world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex()[:10], code=4)
    assert 'of release 2 has no place in release 1' in told, told
    world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex()[:10], '--accept-loss', *keys)
    assert 'luctl rollback ds --accept-loss' in world.luctl('rollback', 'ds', code=4)
    world.luctl('rollback', 'ds', '--accept-loss', *keys)
    assert world.peer.orders[-2].consent == consent, 'the consent is not for this way'


def test_loss_that_may_be(world):
    """State that is lost only if in use needs consent only where it was offered; the same release needs no pairing."""
    world.prepare(2)
    world.pairing(at_risk=[RISK], dropped=[LOST])
    assert world.json('update', 'ds')['state'] == 'confirmed'
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
    told = world.luctl('update', 'ds', '--accept-loss', '--keys', world.dir + '/keys', code=4)
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
        told = world.luctl('update', 'ds', code=4)
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
        job = control.wait_reply(asked, 100)
    assert job['state'] == 'JOB_STATE_CONFIRMED' and job['pairing']['from_counter'] == 2, job
    assert [s['name'] for s in job['steps']].count('pair') == 2, job


def test_blocked_release(world):
    """What was rolled back, by an operator or the machine, is not taken again unless somebody names it."""
    world.prepare(3)
    ids = [world.release_id(kit).hex()[:10] for kit in world.kits]
    world.json('update', 'ds', '--release', ids[0])
    world.json('update', 'ds', '--release', ids[2])
    assert world.json('rollback', 'ds')['state'] == 'confirmed'
    told = world.luctl('update', 'ds', code=4)
    assert 'blocked' in told and 'release 3' in told and 'release clear' in told and '--release' in told, told
    assert 'rolled back for' in world.luctl('release', 'list')
    blocked = [r['counter'] for r in world.json('release', 'list')['releases'] if r['blocked']]
    assert blocked == [3]
    # Kits that are added again do not clear it; a rerandomization is no update.
    world.luctl('release', 'add', world.kits[2])
    world.luctl('update', 'ds', code=4)
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed'
    # Named, it is taken; once it runs it is free.
    assert world.json('update', 'ds', '--release', ids[2])['state'] == 'confirmed'
    assert world.json('update', 'ds')['state'] == 'confirmed'
    # So it is with a rollback that goes forward again.
    world.json('rollback', 'ds', '--to', '2')
    world.luctl('update', 'ds', code=4)
    world.json('rollback', 'ds', '--to', '3')
    assert world.json('update', 'ds')['state'] == 'confirmed'
    # The machine rolls it back: in the transfer it is the release's fault, in the preparation not.
    world.json('update', 'ds', '--release', ids[1])
    for step, code in (('prepare', 0), ('pair', 0), ('transfer', 4)):
        world.peer.rollback_step = step
        world.peer.faults['roll_back'] = 1
        world.luctl('update', 'ds', '--release', ids[2], code=5)
        world.luctl('update', 'ds', code=code)
        if not code:
            world.json('update', 'ds', '--release', ids[1])
    assert 'is not blocked' in world.luctl('release', 'clear', 'ds', ids[0], code=3)
    world.luctl('release', 'clear', 'ds', ids[2])
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_blocked_rebuild(world):
    """Of two releases with one number the one that was added last is the later: going back from it blocks it."""
    world.prepare()
    world.kits.append(world.kit('ds', 1, build=2))
    world.luctl('release', 'add', world.kits[1])
    world.json('update', 'ds', '--release', world.release_id(world.kits[0]).hex())
    assert world.json('update', 'ds')['state'] == 'confirmed'
    assert world.json('rollback', 'ds')['state'] == 'confirmed'
    told = world.luctl('update', 'ds', code=4)
    assert 'blocked' in told and 'release clear' in told, told
    blocked = [r['release_id'] for r in world.json('release', 'list')['releases'] if r['blocked']]
    assert blocked == [world.release_id(world.kits[1]).hex()]
    # The other way it is no step back.
    world.json('update', 'ds', '--release', blocked[0])
    world.json('rollback', 'ds')
    world.json('rollback', 'ds', '--to', str(world.running() - 1))
    assert world.json('update', 'ds')['state'] == 'confirmed'


harness.main(globals(), 2)
