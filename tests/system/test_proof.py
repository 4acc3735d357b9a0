#!/usr/bin/env python3
"""What runs is a layout of a signed kit, whoever holds the keys that are online. The attack: a payload of which one
byte was changed, with a build id that is right, named by a variant that the genuine variant key signed, ordered by the
genuine order key. A machine of the default configuration refuses it, and so does `luforge verify`, which a second
party runs with the seed that the audit key opens.
"""
import hashlib
import os
import struct
import subprocess
import sys

import cases
import lab

sys.path.insert(0, os.path.join(lab.ROOT, 'tests'))
import orders  # noqa: E402

# struct image_header.
ENTRY, N_SEGMENTS, SEGMENTS_OFF, SYMBOLS_OFF, BUILD_ID = 56, 64, 72, 80, 88
SEGMENT_BYTES, FILE_OFF = 40, 16


def spoilt(payload, at):
    """The payload with a byte changed, well formed."""
    made = bytearray(payload)
    made[at] ^= 1
    made[BUILD_ID:BUILD_ID + 32] = bytes(32)
    made[BUILD_ID:BUILD_ID + 32] = hashlib.blake2b(made).digest()[:32]
    return bytes(made)


def places(payload):
    """A byte of each kind, and what it is called."""
    n_segments, = struct.unpack_from('<I', payload, N_SEGMENTS)
    segments, symbols = struct.unpack_from('<QQ', payload, SEGMENTS_OFF)
    yield 'header', ENTRY
    yield 'symbol vector', symbols + 9
    for i in range(n_segments):
        off, size = struct.unpack_from('<QQ', payload, segments + i * SEGMENT_BYTES + FILE_OFF)
        yield f'segment {i}', off + size // 2


def seed_of(world, shown):
    """The seed of a layout that lud made, as only the audit key gives it."""
    told = world.luctl('keys', 'unseal', shown['seed_commit'], shown['seed_sealed'], shown['release_id'], '--keys',
                       world.keys, offline=True, check=True)
    return told.out.strip()


def case_changed(world, rng):
    """Signed and ordered with the genuine keys, a payload with one changed byte does not run."""
    for _ in range(2):
        world.luctl('rerandomize', 'ds', *lab.HOST, check=True)
    before = world.check_truth('ds')
    # Of a layout that does not lie where ds runs.
    payload, state, envelope, generation = world.offer('ds', 'past')
    seed = bytes.fromhex(seed_of(world, world.show('ds', generation)))
    with open(os.path.join(world.kit('ds'), 'flat'), 'rb') as f:
        flat = f.read()
    root, txn = orders.parts(envelope)[0][0], world.newest_txn() + 1
    world.lud_stop()
    with world.machine() as machine:
        def rehearse(content, commit_to, number):
            with open(world.dir + '/payload', 'wb') as f:
                f.write(content)
            variant = world.craft(envelope, f'payload={world.dir}/payload', 'sign=' + world.keys)
            machine.admit(variant, content, state, flat, seed=commit_to)
            status = machine.call(status={'service': 'rs'})
            made = orders.manifest(status, number, orders.PREPARE, [orders.component('ds', variant, generation + 9)])
            return machine.order(orders.sign(world.build, world.dir, root, made))

        for what, at in places(payload):
            try:
                result = rehearse(spoilt(payload, at), seed, txn)
                raise AssertionError(f'{what} was changed, and it was accepted: {result}')
            except lab.wire.Refused as e:
                assert 'E_V_LAYOUT' in str(e), (what, str(e))
        # Nothing else was wrong with it.
        result = rehearse(payload, seed, txn)
        assert result['outcome'] == 'OUTCOME_PREPARED', result
        machine.call(stage_drop={})
    world.lud_start()
    world.settled()
    after = world.check_truth('ds')
    assert after['generation'] == before['generation'] and after['build_id'] == before['build_id']
    world.luctl('rerandomize', 'ds', *lab.HOST, check=True)


def verify(world, code, envelope, seed, payload, *more):
    done = subprocess.run([world.program('forge', 'luforge'), 'verify', '--kit', world.kit('ds'), '--envelope', envelope,
                           '--seed', '-', '--payload', payload, *more], input=seed + '\n', text=True, check=False,
                          capture_output=True)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def case_verify(world, rng):
    """A second party makes a variant of the history again, and is told what differs."""
    world.luctl('rerandomize', 'ds', *lab.HOST, check=True)
    payload, _, bytes_, generation = world.offer('ds')
    shown = world.show('ds', generation)
    seed = seed_of(world, shown)
    envelope, digits, other = (os.path.join(world.dir, name) for name in ('envelope', 'digits', 'other'))
    for path, content in ((envelope, bytes_), (digits, shown['envelope'].encode() + b'\n'), (other, payload)):
        with open(path, 'wb') as f:
            f.write(content)
    root = ('--root', os.path.join(world.keys, 'root.signed'))
    for form in (envelope, digits):
        assert verify(world, 0, form, seed, other, *root).startswith('identical'), form
    for what, at in places(payload):
        with open(other, 'wb') as f:
            f.write(spoilt(payload, at))
        told = verify(world, 6, envelope, seed, other)
        assert f'{what}: 1 bytes differ' in told or what == 'header', (what, told)
        assert f'({at} of the payload)' in told, (what, told)
    wrong = f'{int(seed[0], 16) ^ 1:x}' + seed[1:]
    assert 'commits to another seed' in verify(world, 6, envelope, wrong, other)
    crafted = world.craft(bytes_, f'payload={other}', 'sign=' + world.keys)
    with open(envelope, 'wb') as f:
        f.write(crafted)
    assert 'than the one signed' in verify(world, 6, envelope, seed, other)
    with open(envelope, 'wb') as f:
        f.write(crafted[:-8])
    assert 'not the envelope of a variant' in verify(world, 2, envelope, seed, other)
    assert verify(world, 1, envelope, seed[1:], other)


def audit(world, code, sealed, *more):
    """What who has the audit key says of a layout, by its sealed seed."""
    path = os.path.join(world.dir, 'sealed')
    with open(path, 'w', encoding='ascii') as f:
        f.write(sealed + '\n')
    done = subprocess.run([world.program('forge', 'luforge'), 'verify', '--kit', world.kit('ds'), '--sealed', path,
                           '--audit-key', world.keys, *more], text=True, check=False, capture_output=True)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def case_sealed(world, rng):
    """The audit key opens what the machine sealed, and the layout is the one that was committed to."""
    shown = []
    for _ in range(2):
        world.luctl('rerandomize', 'ds', '--layout', 'machine', check=True)
        now = world.check_truth('ds')
        shown.append(world.show('ds', now['generation']))
        assert (now['commitment'], now['sealed']) == (shown[-1]['commitment'], shown[-1]['sealed']), now
    first, second = shown
    assert first['sealed'] != second['sealed']
    where = os.path.join(world.dir, 'where')
    for one in shown:
        told = audit(world, 0, one['sealed'], '--commitment', one['commitment'], '--map', where)
        assert told.startswith('identical'), told
    with open(where, encoding='ascii') as f:
        lines = f.read().splitlines()
    assert lines and all(len(line.split(' ', 2)) == 3 for line in lines), lines[:3]
    assert 'does not open' in audit(world, 2, first['sealed'], '--commitment', second['commitment'])
    # A layout that the host made, by the same two words.
    world.luctl('rerandomize', 'ds', *lab.HOST, check=True)
    _, _, bytes_, generation = world.offer('ds')
    envelope = os.path.join(world.dir, 'envelope')
    with open(envelope, 'wb') as f:
        f.write(bytes_)
    made = world.show('ds', generation)
    assert audit(world, 0, made['seed_sealed'], '--envelope', envelope).startswith('identical')
    assert 'does not open' in audit(world, 2, first['sealed'], '--envelope', envelope)


CASES = [('a payload with one changed byte', case_changed), ('made again by a second party', case_verify),
         ('sealed by the machine, opened by the audit key', case_sealed)]

if __name__ == '__main__':
    cases.run(__doc__, CASES)
