#!/usr/bin/env python3
"""Kits and releases that are not as they should be: in a directory, in the store, under a signature.

Usage: release_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import struct

import harness
import jsonschema
from harness import copy_stored, damage, stored


def test_full_store(world):
    world.prepare()
    world.peer.faults['full'] = 1
    assert world.json('update', 'ds')['state'] == 'confirmed'
    world.peer.faults['full'] = 5
    assert 'E_STORE_FULL' in world.luctl('update', 'ds', code=4)


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
        assert said in world.luctl('release', 'add', path, code=3 if path.endswith('none') else 4).lower()
    assert world.json('release', 'list')['releases'] == []
    assert os.listdir(world.state + '/releases') == [] and os.listdir(world.state + '/tmp') == []


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
    assert '/none' in world.luctl('release', 'sign', world.dir + '/none', *keys, code=3)
    for number, (what, spoil, said) in enumerate(SPOILT):
        if 'signature' not in what and 'manifest' not in what and 'and the list' not in what:
            kit = world.kit('ds', number + 1)
            spoil(kit)
            told = world.luctl('release', 'sign', kit, *keys, code=7)
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
    told = world.json('release', 'sign', old, *keys, '--previous', new)['kits'][0]
    assert 'irq 4' in told['removed'] and told['added'] == [] and told['previous'] == 32, told
    assert 'stack 65536' in told['privileges']
    world.luctl('release', 'add', old)
    told = world.luctl('release', 'sign', new, *keys, '--previous', world.state + '/releases')
    assert 'since release 31' in told
    assert 'no earlier release' in world.luctl('release', 'sign', world.kit('tty', 1), *keys, '--previous',
                                               world.state + '/releases')
    assert 'not of tty' in world.luctl('release', 'sign', world.kit('tty', 2), *keys, '--previous', old, code=7)
    os.unlink(old + '/manifest.signed')
    assert 'not signed' in world.luctl('release', 'sign', new, *keys, '--previous', old, code=7)
    told = world.luctl('release', 'sign', new, *keys, '--previous', world.state + '/no-releases', code=7)
    assert 'no-releases' in told and 'No such file' in told and '--previous' in told, told


def test_remove(world):
    """A kit that nothing needs is given up, by name; what runs, or is the way back, stays. Adding it again brings it back."""
    world.prepare(4)

    def listed():
        return {r['counter']: r for r in world.json('release', 'list', 'ds')['releases']}
    first, *_ = [world.json('update', 'ds', '--release', str(n))['generation'] for n in (1, 2, 3)]
    paths = {n: row['path'] for n, row in listed().items()}
    for n in ('3', '2'):
        told = world.luctl('release', 'remove', 'ds', n, code=4)
        assert 'm runs it, or would go back to it' in told, told
    assert 'release 1 of ds is removed' in world.luctl('release', 'remove', 'ds', '1', '4')
    assert {n for n, row in listed().items() if row['path']} == {2, 3}
    assert [os.path.exists(paths[n]) for n in (1, 2, 3, 4)] == [False, True, True, False]
    assert 'removed' in world.luctl('release', 'list', 'ds') and 'removed' in world.luctl('release', 'show', 'ds', '4')
    assert 'removed already' in world.luctl('release', 'remove', 'ds', '4', code=3)
    # Whatever would make something of it says so; what chooses by itself passes it by.
    for words, code in (('update ds --release 4', 4), ('rollback ds --to %d' % first, 4), ('release diff ds 3 4', 3)):
        assert 'kit of release' in world.luctl(*words.split(), code=code), words
    assert world.json('plan', 'update', 'ds')['parts'][0]['to_counter'] == 3
    assert world.json('release', 'show', 'ds')['release']['counter'] == 3
    world.luctl('machine', 'stop', 'm')     # what ran last and its way back count as well, as the record has them
    world.kill()
    world.start()
    for n in ('3', '2'):
        world.luctl('release', 'remove', 'ds', n, code=4)
    world.luctl('machine', 'start', 'm')
    world.until(lambda: world.json('machine', 'list')['machines'][0]['state'] == 'up')
    world.luctl('release', 'add', world.kits[3])
    assert listed()[4]['path'] == paths[4]
    # An open job is about it.
    world.luctl('hold', 'ds')
    job = world.json('update', 'ds', '--no-wait')['id']
    told = world.luctl('release', 'remove', 'ds', '4', code=4)
    assert 'an open job' in told and 'luctl jobs' in told and 'release block' not in told, told
    world.luctl('job', 'cancel', str(job))
    world.luctl('release', 'remove', 'ds', '4')
    with world.control() as control:        # as `luctl dev` asks
        for release, why in (('9', ''), ('4', ''), ('3', 'runs it')):
            told = control.call(release_remove={'service': 'ds', 'release': release, 'spare': True})
            assert why in told.get('text', '') and bool(why) == bool(told.get('text')), (release, told)
    # One that was killed before the files went, and one whose path is not of this store.
    world.luctl('release', 'add', world.kits[3])
    world.kill()
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db:
        db.execute('UPDATE releases SET path = ? WHERE counter = 4', (world.kits[3],))
        db.commit()
    world.start()
    world.luctl('release', 'remove', 'ds', '4')
    assert os.path.isdir(world.kits[3])


def test_remove_beside_add(world):
    """A release is removed while it is added again, by a worker that has found it in the store: it is added."""
    world.prepare(2)
    with open(world.dir + '/fake_luforge', encoding='ascii') as f:
        good = f.read()
    # What the worker found out is not told before somebody lets it go on.
    halts = ("    if command == 'import':\n        found = __import__('subprocess').run([luforge, *sys.argv[1:]], capture_output=True, close_fds=False)\n"
             "        os.kill(os.getpid(), __import__('signal').SIGSTOP)\n        sys.stdout.buffer.write(found.stdout)\n        sys.exit(found.returncode)\n")
    one = {'service': 'ds', 'release': '2'}
    world.install('fake_luforge', good.replace("    os.execv(luforge", halts + "    os.execv(luforge"))

    def halted():
        return next((pid for pid in harness.children(world.lud.pid) if harness.status_of(pid)['State'].startswith('T')), None)
    with world.control() as adds, world.control() as removes:
        asked = adds.send(release_add={'kit': world.kits[1]}, request_id='add')
        worker = world.until(halted)
        path, = harness.record(world, 'SELECT path FROM releases WHERE counter = 2')
        removes.call(release_remove=one, request_id='remove')
        assert not os.path.exists(path)
        world.install('fake_luforge', good)
        os.kill(worker, signal.SIGCONT)
        assert adds.wait_reply(asked)['releases'][0]['counter'] == 2
        assert os.path.isdir(path) and harness.record(world, 'SELECT path FROM releases WHERE counter = 2') == (path,)
        # Either came and was answered: asked again they do nothing.
        removes.call(release_remove=one, request_id='remove')
        assert adds.call(release_add={'kit': world.kits[1]}, request_id='add')['releases'][0]['counter'] == 2
        assert os.path.isdir(path)
    assert world.json('update', 'ds', '--release', '2')['state'] == 'confirmed'
    # What is planned is needed.
    world.luctl('hold', 'ds')
    job = world.json('update', 'ds', '--release', '1', '--no-wait')['id']
    with world.control() as control:
        assert 'an open job' in harness.refused_call(control, release_remove={'service': 'ds', 'release': '1'})['cause']['message']
    world.luctl('job', 'cancel', str(job))


# What CycloneDX 1.5 demands of what is in our bills; nothing else may be in them.
BOM = {
    '$defs': {
        'strict': {'type': 'object', 'additionalProperties': False},
        'hashes': {'type': 'array', 'minItems': 1, 'items': {
            'type': 'object', 'additionalProperties': False, 'required': ['alg', 'content'], 'properties': {
                'alg': {'enum': ['MD5', 'SHA-1', 'SHA-256', 'SHA-512', 'BLAKE2b-256', 'BLAKE2b-512', 'BLAKE3']},
                'content': {'pattern': '^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})$'}}}},
        'component': {
            'type': 'object', 'additionalProperties': False, 'required': ['type', 'name'], 'properties': {
                'type': {'enum': ['application', 'framework', 'library', 'container', 'operating-system', 'device', 'firmware', 'file']},
                'bom-ref': {'type': 'string', 'minLength': 1}, 'name': {'type': 'string'}, 'version': {'type': 'string'},
                'scope': {'enum': ['required', 'optional', 'excluded']}, 'purl': {'pattern': r'^pkg:deb/debian/([\w.~-]|%[0-9A-F]{2})+@([\w.~-]|%[0-9A-F]{2})+\?arch=source$'},
                'hashes': {'$ref': '#/$defs/hashes'},
                'properties': {'type': 'array', 'items': {
                    'type': 'object', 'additionalProperties': False, 'required': ['name'],
                    'properties': {'name': {'type': 'string'}, 'value': {'type': 'string'}}}}}}},
    'type': 'object', 'additionalProperties': False, 'required': ['bomFormat', 'specVersion', 'version'], 'properties': {
        'bomFormat': {'const': 'CycloneDX'}, 'specVersion': {'const': '1.5'}, 'version': {'type': 'integer', 'minimum': 1},
        'serialNumber': {'pattern': '^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'},
        'metadata': {'type': 'object', 'additionalProperties': False, 'properties': {
            'timestamp': {'pattern': r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$'}, 'component': {'$ref': '#/$defs/component'},
            'tools': {'type': 'object', 'properties': {'components': {'items': {'$ref': '#/$defs/component'}}}}}},
        'components': {'type': 'array', 'uniqueItems': True, 'items': {'$ref': '#/$defs/component'}},
        'dependencies': {'type': 'array', 'items': {
            'type': 'object', 'additionalProperties': False, 'required': ['ref'], 'properties': {
                'ref': {'type': 'string'}, 'dependsOn': {'type': 'array', 'uniqueItems': True, 'items': {'type': 'string'}}}}}}}


def test_bom(world):
    """A bill of materials of a kit is what the kit says, the same each time, and CycloneDX whatever a kit says."""
    kit = world.kit('ds', 7)
    with open(kit + '/recipe', 'ab') as f:
        f.write(b'toolchain LLVM 19.1.7\nservice ds\nlibrary libc.a musl 1.2.3-1 prebuilt\n'
                b'library lib\x80"x.a b"\x01d 1"2 \xff\nlibrary short\nlibrary ' + b'x' * 300 + b'\n')
    with open(kit + '/manifest', 'rb') as f:
        harness.kit_finish(kit, f.read())
    text = world.luctl('release', 'bom', kit)
    bom = json.loads(text)
    jsonschema.Draft202012Validator(BOM).validate(bom)
    assert text == world.luctl('release', 'bom', kit) and world.json('release', 'bom', kit)['bom'] == bom
    whole = bom['metadata']['component']
    assert (whole['name'], whole['version'], whole['hashes'][0]['content']) == ('ds', '7', world.release_id(kit).hex()), whole
    parts = {part['bom-ref']: part for part in bom['components']}
    assert len(parts) == len(bom['components']) and parts['toolchain']['version'] == '19.1.7'
    assert parts['library:libc.a']['purl'] == 'pkg:deb/debian/musl@1.2.3-1?arch=source', parts
    assert parts['library:lib?"x.a']['name'] == 'b"?d' and 'library:short' not in parts, parts
    assert bom['dependencies'][0]['dependsOn'] == [ref for ref in parts if ref.startswith('library:')]
    for name in sorted(os.listdir(kit)):
        if name not in ('files', 'manifest', 'manifest.signed'):
            with open(os.path.join(kit, name), 'rb') as f:
                assert parts['file:' + name]['hashes'][0]['content'] == hashlib.blake2b(f.read()).hexdigest()
    harness.damage(kit, 'state')
    assert 'state' in world.luctl('release', 'bom', kit, code=4)
    world.luctl('release', 'bom', kit + '.none', code=3)


harness.main(globals(), 2)
