#!/usr/bin/env python3
"""Code that nobody signed does not run. The attack: the program in a signed kit is changed, the kit's list and unsigned
manifest are made to fit, the signature is left alone. It is tried before the kit is taken in, in lud's store, under
a machine that is to start, and while luforge is at work; each time the file is named and what runs goes on.
"""
import hashlib
import os
import shutil
import subprocess
import threading

import cases
import lab

TRAP = b'\x0f\x0b'  # ud2
PROLOGUE = bytes.fromhex('554889e5')  # push %rbp; mov %rsp, %rbp
SEED = '5a' * 32


def finish(kit):
    """The list of files and the unsigned manifest, as luforge would write them for what lies there now."""
    names = sorted(os.path.relpath(os.path.join(d, f), kit) for d, _, fs in os.walk(kit) for f in fs)
    listed = 'samsara kit files 1\n'
    for name in names:
        if name not in ('files', 'manifest', 'manifest.signed'):
            with open(os.path.join(kit, name), 'rb') as f:
                body = f.read()
            listed += f'{hashlib.blake2b(body).hexdigest()} {len(body)} {name}\n'
    with open(os.path.join(kit, 'files'), 'w') as f:
        f.write(listed)
    with open(os.path.join(kit, 'flat'), 'rb') as f:
        flat = hashlib.blake2b(f.read()).digest()
    with open(os.path.join(kit, 'manifest'), 'r+b') as f:
        f.seek(200)
        f.write(flat + hashlib.blake2b(listed.encode()).digest())


def patch(kit):
    """Let some function of the program trap; the name of the file that the program is in."""
    path = os.path.join(kit, 'flat')
    with open(path, 'rb') as f:
        body = f.read()
    if PROLOGUE not in body:
        raise lab.Failed(f'{kit} has no code')
    with open(path, 'wb') as f:
        f.write(body.replace(PROLOGUE, TRAP + PROLOGUE[2:], 1))
    return 'flat'


def stored(world, name):
    """lud's copy of the release that a service runs, and its id."""
    release = world.service(name)['release_id']
    path, = world.record('SELECT path FROM releases WHERE lower(hex(release_id)) = ?', release)[0]
    return path, release


def goes_on(world, before):
    now = world.check_truth('ds')
    assert (now['generation'], now['build_id']) == (before['generation'], before['build_id']), (before, now)
    assert world.wait_load(100)['errors'] == 0


def attack(world, kit, refused):
    """The attack in steps: the program alone, the list and manifest with it, no unsigned manifest at all."""
    whole = world.dir + '/whole.kit'
    subprocess.run(['cp', '-a', kit, whole], check=True)
    try:
        name = patch(kit)
        refused(f'{name}: not the file')
        finish(kit)
        refused('not the one that was signed')
        os.unlink(os.path.join(kit, 'manifest'))
        refused("not the manifest's")
    finally:
        shutil.rmtree(kit)
        os.rename(whole, kit)


def case_before_intake(world, rng):
    """Refused by `release add`; genuine, it is taken in."""
    world.kit_copy('ds-2')
    world.sign('ds-2')

    def refused(said):
        answer = world.luctl('release', 'add', world.kit('ds-2'))
        assert answer.code == 4 and said in answer.err, (said, answer.err)
    before = world.check_truth('ds')
    attack(world, world.kit('ds-2'), refused)
    releases = world.luctl('release', 'list', 'ds', check=True, as_json=True).json['releases']
    assert len(releases) == 1, releases
    goes_on(world, before)


def case_store(world, rng):
    """Changed in the store: no variant is made of it, and history says why. Whole again, the update works."""
    before = world.check_truth('ds')
    kit, _ = stored(world, 'ds')

    def refused(said):
        answer = world.luctl('rerandomize', 'ds', *lab.HOST)
        assert answer.code == 1 and said in answer.err + answer.out, (said, answer.code, answer.err, answer.out)
        assert '`luctl release add KIT`' in answer.err, answer.err
        newest = world.history('ds')[0]
        assert newest['state'] != 'running' and said in newest['job']['cause']['message'], newest
    attack(world, kit, refused)
    goes_on(world, before)
    world.luctl('rerandomize', 'ds', *lab.HOST, check=True)
    assert world.check_truth('ds')['generation'] > before['generation']


def case_swap(world, rng):
    """Changed again and again while luforge works: what comes out is the genuine payload, or nothing."""
    kit, release = stored(world, 'ds')
    copy, out, aside = (os.path.join(world.dir, n) for n in ('swap.kit', 'swap.payload', 'aside'))
    shutil.copytree(kit, copy)
    name = patch(copy)
    os.rename(os.path.join(copy, name), aside)
    shutil.copy(os.path.join(kit, name), os.path.join(copy, name))

    def forge(where):
        run = subprocess.run([world.program('forge', 'luforge'), 'variant', '--root', world.keys + '/root.signed',
                              '--release', release, '--kit', where, '--seed', SEED, '--out', out],
                             capture_output=True, text=True, check=False)
        if run.returncode:
            assert run.returncode == 2 and name in run.stderr, run.stderr
            return None
        with open(out, 'rb') as f:
            return f.read()
    genuine = forge(kit)
    over = threading.Event()

    def swap():
        target, third = os.path.join(copy, name), aside + '.2'
        while not over.is_set():
            # The file is never missing: a hard link keeps it while the other takes its name.
            os.link(target, third)
            os.rename(aside, target)
            os.rename(third, aside)
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        made = [forge(copy) for _ in range(12)]
    finally:
        over.set()
        thread.join()
    assert genuine and all(m in (None, genuine) for m in made)
    print(f'# swapped: {made.count(None)} of {len(made)} refused')


def case_boot(world, rng):
    """A machine does not start from a store that was changed."""
    kit, release = stored(world, 'tty')
    listing, image = world.dir + '/boot.list', world.dir + '/boot.img'
    payload, = world.record('SELECT path FROM variants WHERE path LIKE ? LIMIT 1', '%tty%')[0]
    with open(listing, 'w') as f:
        f.write(f'root {world.keys}/root.signed\nservice tty kernel kit {kit} release {release} payload {payload}\n')

    def write_image():
        return subprocess.run([world.program('forge', 'luforge'), 'image', '--out', image, listing],
                              capture_output=True, text=True, check=False)

    def refused(said):
        answer = world.luctl('machine', 'start', 'second')
        assert answer.code == 1 and said in answer.err, (said, answer.code, answer.err)
        written = write_image()
        assert written.returncode == 2 and said in written.stderr, (said, written)
    attack(world, kit, refused)
    assert write_image().returncode == 0
    assert world.luctl('status', '--machine', 'm1', as_json=True).json['machine']['state'] == 'up'


CASES = [('before it is taken in', case_before_intake), ('in the store', case_store),
         ('while luforge works', case_swap), ('before a boot', case_boot)]

if __name__ == '__main__':
    cases.run(__doc__, CASES)
