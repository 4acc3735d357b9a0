#!/usr/bin/env python3
"""`make up` and `make down` in a tree where neither was ever called: no keys, no record, no machine. Then both again."""
import argparse
import json
import os
import shutil
import subprocess
import tempfile

import lab

# What `make` leaves, and what the programs of a build tree look for beside themselves.
PROGRAMS = ('ctl/luctl', 'orchestrator/lud', 'forge/luforge', 'keyring/signer/lusign', 'osd/kernel/samsara-kernel')


def tree_make(top, build):
    """A tree with the programs and kits of this one; whether it is a build tree is told by build.ninja."""
    for name in ('tools', 'osd'):
        os.symlink(os.path.join(lab.ROOT, name), os.path.join(top, name))
    for name in PROGRAMS:
        os.makedirs(os.path.dirname(os.path.join(top, 'build', name)), exist_ok=True)
        shutil.copy2(os.path.join(build, name), os.path.join(top, 'build', name))
    for name in lab.shipped.machine():
        shutil.copytree(os.path.join(build, 'osd', name + '.kit'), os.path.join(top, 'build/osd', name + '.kit'))
    open(os.path.join(top, 'build/build.ninja'), 'w').close()


def run(top, *words):
    env = {k: v for k, v in os.environ.items() if not k.startswith('SAMSARA_')}
    done = subprocess.run([os.path.join(top, words[0]), *words[1:]], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=300, env=env)
    assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def machine_up(top):
    """The machine that luctl means where none is named, once it is up: a busy host has it silent for a moment."""
    def look():
        found = json.loads(run(top, 'build/ctl/luctl', 'status', '--json'))['machine']
        return found if found['state'] == 'up' else None
    return lab.until('the machine to be up', lab.DEADLINE, look)


def check(top):
    assert 'nothing runs' in run(top, 'tools/down')
    said = run(top, 'tools/up')
    assert 'Stop: make down' in said, said
    first = machine_up(top)
    run(top, 'tools/up')  # what runs already stays
    assert machine_up(top)['boot_id'] == first['boot_id'], first
    assert 'are stopped' in run(top, 'tools/down')
    run(top, 'tools/up')  # what is stopped is started
    assert machine_up(top)['boot_id'] != first['boot_id'], first


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', default=os.path.join(lab.ROOT, 'build'))
    top = tempfile.mkdtemp(prefix='samsara-up-')
    try:
        os.chmod(top, 0o711)  # the users of forge and signer look into it
        tree_make(top, os.path.abspath(parser.parse_args().build))
        check(top)
    finally:
        subprocess.run([os.path.join(top, 'tools/down')], timeout=300)
    shutil.rmtree(top)


if __name__ == '__main__':
    main()
