#!/usr/bin/env python3
"""What lud leaves on disk: nobody else may read it, and the boot image, which holds the seed of the machine's random
source, is gone as soon as the machine runs.
"""
import os
import stat
import struct

import cases
import lab


def files(top):
    for at, folders, names in os.walk(top):
        for name in folders + names:
            yield os.path.join(at, name)


def case_modes(world, rng):
    """The state directory is its owner's alone; below it, a forge worker with its own user reads the store of kits."""
    state = os.path.join(world.dir, 'state')
    seen = 0
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o700
    for path in files(state):
        status = os.lstat(path)
        if stat.S_ISSOCK(status.st_mode) or stat.S_ISLNK(status.st_mode):
            continue  # who may connect is lud's and QEMU's business; the directory above is closed
        mode = stat.S_IMODE(status.st_mode)
        shared = os.getuid() == 0 and path.startswith(os.path.join(state, 'releases'))
        assert mode & (0o027 if shared else 0o077) == 0, (path, oct(mode))
        seen += 1
    assert seen > 10, seen


def case_image(world, rng):
    """No file of the machine holds its seed once it runs; lud that comes back takes it up all the same."""
    names = os.listdir(world.machine_dir)
    assert 'boot.img' not in names and 'boot.list' not in names, names
    world.lud_stop()
    world.lud_start()
    world.wait_up()
    assert world.wait_load()['errors'] == 0


def case_start_again(world, rng):
    """Every start has an image, and so a seed, of its own, and a kernel in a place of its own."""
    boots, entries, generations = set(), [], []
    for _ in range(3):
        generations.append(world.luctl('status', as_json=True, check=True).json['machine']['kernel_generation'])
        with open(os.path.join(world.machine_dir, 'kernel'), 'rb') as f:
            entries.append(struct.unpack_from('<Q', f.read(), 24)[0])
        with open('/proc/%d/cmdline' % world.qemu_pid(), 'rb') as f:
            assert f.read().split(b'\0').count(os.path.join(world.machine_dir, 'kernel').encode()) == 1
        boots.add(world.luctl('status', as_json=True, check=True).json['machine']['boot_id'])
        world.luctl('machine', 'stop', '--force', check=True)
        world.luctl('machine', 'start', check=True)
        world.wait_up()
        assert 'boot.img' not in os.listdir(world.machine_dir)
    boots.add(world.luctl('status', as_json=True, check=True).json['machine']['boot_id'])
    assert len(boots) == 4, boots
    assert sorted(set(generations)) == generations, generations
    assert len(set(entries)) > 1, entries  # of 60,000 places in RAM


CASES = [('modes', case_modes), ('the boot image goes', case_image), ('another start', case_start_again)]

if __name__ == '__main__':
    cases.run(__doc__, CASES)
