#!/usr/bin/env python3
"""What an operator is told when things went wrong is true, and what luctl names as the remedy works when it is done
word for word.
"""
import glob
import os
import re
import signal
import subprocess
import time

import cases
import lab

SERVICES = ' '.join(lab.shipped.machine())


def remedies(text):
    """The commands of luctl that a text names."""
    return [command.split()[1:] for command in re.findall(r'`(luctl [^`]+)`', ' '.join(text.split()))]


def follow(world, text, verb):
    """Do what a text names as the remedy: the command that begins so. A text may say it in its summary, too."""
    commands = [c for c in remedies(text) if ' '.join(c).startswith(verb)]
    assert commands, text
    return world.luctl(*commands[-1], check=True)


def machine(world):
    return world.luctl('machine', 'list', check=True, as_json=True).json['machines'][0]


def lose_record(world):
    world.lud_stop()
    for path in glob.glob(os.path.join(world.dir, 'state', 'lud.db*')):
        os.remove(path)
    world.lud_start()


def add_all(world):
    world.luctl('release', 'add', *[world.kit(n) for n in world.services.split()], check=True)


def case_lost_record(world, rng):
    """The record is gone and the machine runs: nothing takes its place; it is taken back as what it is, and obeys."""
    world.luctl('rerandomize', 'ds', check=True)
    before, now, pid = machine(world), world.service('ds'), world.qemu_pid()
    lose_record(world)
    add_all(world)
    for command in (['machine', 'start'], ['machine', 'start', 'm1'], ['status'], ['status', '--machine', 'm1']):
        refused = world.luctl(*command)
        assert refused.code == 4 and 'another one in its place' in refused.err, (command, refused.code, refused.err)
        assert ['machine', 'start', 'm1', '--attach', before['socket']] in remedies(refused.err), refused.err
    assert world.qemu_pid() == pid
    follow(world, refused.err, 'machine start')
    world.wait_up()
    after = machine(world)
    for key in ('machine_id', 'boot_id', 'pid', 'socket', 'name'):
        assert after[key] == before[key], (key, before, after)
    world.luctl('rerandomize', 'ds', check=True)
    assert world.service('ds')['generation'] == now['generation'] + 1
    world.add_release('ds-2')
    world.luctl('update', 'ds', check=True)
    world.check_truth()
    world.lud_stop()
    world.lud_start()
    world.wait_up()
    world.luctl('machine', 'stop', '--keys', world.keys, check=True)
    assert machine(world)['state'] == 'stopped' and not world.qemu_pid()
    world.luctl('machine', 'start', check=True)
    world.wait_up()
    assert machine(world)['machine_id'] == before['machine_id']


def case_old_record(world, rng):
    """A record from before the start says that the machine is stopped."""
    world.luctl('machine', 'stop', '--force', check=True)
    world.lud_stop()
    saved = {}
    for path in glob.glob(os.path.join(world.dir, 'state', 'lud.db*')):
        with open(path, 'rb') as f:
            saved[path] = f.read()
    world.lud_start()
    world.luctl('machine', 'start', check=True)
    world.wait_up()
    before = machine(world)
    world.lud_stop()
    for path in glob.glob(os.path.join(world.dir, 'state', 'lud.db*')):
        os.remove(path)
    for path, data in saved.items():
        with open(path, 'wb') as f:
            f.write(data)
    world.lud_start()
    assert machine(world)['state'] == 'stopped'
    for command in (['machine', 'start'], ['machine', 'remove', 'm1']):
        refused = world.luctl(*command)
        assert refused.code == 4 and 'another one in its place' in refused.err, (command, refused.code, refused.err)
    follow(world, refused.err, 'machine start')
    world.wait_up()
    assert machine(world)['boot_id'] == before['boot_id'] and machine(world)['pid'] == before['pid']
    world.luctl('rerandomize', 'ds', check=True)
    world.check_truth()


def case_other_socket(world, rng):
    """A name stands for one socket: another one is not taken for it."""
    for name in (['m1'], []):
        refused = world.luctl('machine', 'start', *name, '--attach', world.dir + '/none.sock')
        assert refused.code == 4 and 'is reached by another socket' in refused.err, (refused.code, refused.err)
    again = world.luctl('machine', 'start', '--attach', machine(world)['socket'])
    assert again.code == 0, again.err


def case_heard(world, rng):
    """It was heard when it said something last, not when the session began."""
    began = machine(world)['heard_us']
    lab.until('it to be heard again and again', lab.DEADLINE, lambda: machine(world)['heard_us'] > began + 3000000)
    heard = machine(world)['heard_us']
    os.kill(world.qemu_pid(), signal.SIGKILL)
    lab.until('the machine to be down', lab.DEADLINE, lambda: machine(world)['state'] == 'down')
    assert heard <= machine(world)['heard_us'] <= time.time() * 1e6, (heard, machine(world))


def case_down(world, rng):
    """A machine that is down: history claims nothing of it, status says what to do."""
    states = {g['state'] for g in world.history('ds')}
    assert 'ran last' in states and 'running' not in states, states
    status = world.luctl('status', check=True)
    assert 'is down' in status.out and 'debug.log' in status.out, status.out
    follow(world, status.out, 'machine start')
    world.wait_up()
    assert 'running' in {g['state'] for g in world.history('ds')}
    world.luctl('machine', 'stop', '--force', check=True)
    follow(world, world.luctl('status', check=True).out, 'machine start')
    world.wait_up()


def case_output(world, rng):
    """An answer that could not be written is an error, for every command."""
    commands = [['status'], ['status', '--json'], ['machine', 'list'], ['machine', 'list', '--json'], ['history'],
                ['history', '--json'], ['release', 'list'], ['log'], ['version'], ['--help'], ['status', '-h'],
                ['keys', 'list', '--keys', world.keys], ['rerandomize', 'ds']]
    for command in commands:
        with open('/dev/full', 'w') as full:
            run = subprocess.run([world.program('ctl', 'luctl'), *command], stdout=full, stderr=subprocess.PIPE,
                                 text=True, timeout=lab.DEADLINE, stdin=subprocess.DEVNULL,
                                 env=dict(os.environ, SAMSARA_SOCKET=world.socket))
        assert run.returncode == 74 and 'could not be written' in run.stderr, (command, run.returncode, run.stderr)
    wrong = subprocess.run(f'{world.program("ctl", "luctl")} show ds 999999 --socket {world.socket} >/dev/full',
                           shell=True, capture_output=True, text=True, check=False)
    assert wrong.returncode == 3, wrong


def case_entropy(world, rng):
    """What the layouts of a running service protect is measured under the worker's guard, and meets the aims."""
    ds, = world.luctl('entropy', 'ds', check=True, as_json=True).json['services']
    assert ds['release_id'] == world.service('ds')['release_id'] and ds['pieces'] > 100, ds
    rows = [row for row in ds['rows'] if row['measured']]
    assert {(r['given'], r['left']) for r in rows} >= {('text', 'text'), ('text', 'data'), ('const', 'const')}, rows
    assert all(r['below'] == 0 and r['worst'] >= r['aim'] and r['piece'] and r['leak'] for r in rows), rows


CASES = [('what layouts protect', case_entropy), ('a lost record', case_lost_record),
         ('a record that is too old', case_old_record), ('another socket', case_other_socket), ('heard last', case_heard), ('a machine that is down', case_down),
         ('output that is lost', case_output)]


class World(lab.Lab):
    def __init__(self, build, keep=None):
        super().__init__(build, services=SERVICES, keep=keep)


if __name__ == '__main__':
    cases.run(__doc__, CASES, world_type=World)
