#!/usr/bin/env python3
"""What the chain of trust promises over time: clocks that jump, a reboot from an image of last week, floors before and
after the confirm, keys that were stolen, and commands that destroy.

All programs of the host run with clock_shift.c before them, so that a jump is one for lud, its signer and luctl alike.
"""
import contextlib
import os
import signal
import struct
import subprocess
import time

import cases
import lab
from test_refusals import committed, no_errors, refused

DAY = 86400
# proto/envelope/manifest.h: TIME_SKEW_SEC_MAX, and a second of rounding.
SKEW = 301
# struct kit_manifest: the floor stands behind magic, version, size, service and counter.
KIT_FLOOR = 44
PREPARE, SHUTDOWN = 2, 5


class TrustLab(lab.Lab):
    """A lab whose clock can be set, that keeps the first boot image, and starts a week ago. Layouts are
    the host's, which signs each of them: when that may be is the question here."""

    layout = 'host'

    def __init__(self, build, **options):
        super().__init__(build, **options)
        self.clock = os.path.join(self.dir, 'clock')
        self.shift(0)
        qemu = os.path.join(self.dir, 'qemu')
        self.image, self.arguments = os.path.join(self.dir, 'kept.img'), os.path.join(self.dir, 'qemu.arguments')
        with open(qemu, 'w') as f:
            f.write(f'#!/bin/sh\n'
                    f'for word; do case "$word" in */boot.img) [ -e {self.image} ] || cp "$word" {self.image};; esac\n'
                    f"done\nprintf '%s\\0' \"$@\" >{self.arguments}\nexec qemu-system-x86_64 \"$@\"\n")
        os.chmod(qemu, 0o755)
        self.more_config = f'programs:\n  qemu: "{qemu}"\n'
        os.environ['SAMSARA_TEST_CLOCK'] = self.clock
        os.environ['LD_PRELOAD'] = self.program('tests', 'system', 'libclock_shift.so')

    def shift(self, seconds):
        with open(self.clock, 'r+b' if os.path.exists(self.clock) else 'wb') as f:
            f.write(struct.pack('<q', seconds))

    def start(self, env=None):
        self.shift(-7 * DAY)
        super().start(env)
        self.shift(0)

    def kit_copy(self, name):
        """The second release of DS raises the floor to itself."""
        super().kit_copy(name)
        if name == 'ds-2':
            with open(os.path.join(self.kit(name), 'manifest'), 'r+b') as f:
                f.seek(KIT_FLOOR)
                f.write(struct.pack('<I', 2))

    def reboot_from_kept(self):
        """What runs ends, and the first image is started behind lud's back; lud finds it as its machine."""
        self.lud_stop()
        os.kill(self.qemu_pid(), signal.SIGKILL)
        lab.until('the machine to end', lab.DEADLINE, lambda: not self.qemu_pid())
        with open(self.arguments, 'rb') as f:
            words = f.read().decode().split('\0')[:-1]
        words[words.index('-initrd') + 1] = self.image
        subprocess.run(['qemu-system-x86_64', *words], check=True, stdin=subprocess.DEVNULL, timeout=lab.DEADLINE)
        self.lud_start()
        self.wait_up()


def machine_time(world):
    """Set the machine's time to the host's."""
    world.luctl('machine', 'time', '--keys', world.keys, check=True)
    assert abs(world.status()['time_ahead']) < 60, world.status()['time_ahead']


def case_behind(world, rng):
    """A machine that is a week behind is served; the release key puts it right."""
    assert -7 * DAY - 600 < world.status()['time_ahead'] < -6 * DAY
    committed(world, 'rerandomize', 'ds')
    assert world.status()['time_ahead'] < -6 * DAY, 'dates move time no further than the skew'
    machine_time(world)


def case_jump(days):
    """The host's clock jumps forward for one command and back: nothing is lost by it."""
    def case(world, rng):
        world.shift(days * DAY)
        jumped = world.luctl('rerandomize', 'ds')
        world.shift(0)
        # At 400 days the root is over, and nothing is signed.
        assert (jumped.code == 0) == (days < 365), (jumped.code, jumped.err)
        assert world.status()['time_ahead'] <= SKEW
        committed(world, 'rerandomize', 'ds')
        no_errors(world)
    return case


def case_jump_back(world, rng):
    """A host whose clock is a day late: nothing is signed, and what it is told to do works."""
    signed = world.newest_txn()
    world.shift(-DAY)
    answer = world.luctl('rerandomize', 'ds')
    assert answer.code == 1 and 'luctl machine time' in answer.err, (answer.code, answer.err)
    assert world.newest_txn() == signed
    machine_time(world)
    committed(world, 'rerandomize', 'ds')
    world.shift(0)
    committed(world, 'rerandomize', 'ds')
    machine_time(world)


def case_stolen(world, rng):
    """A stolen online key alone: dates move time by the skew only, nothing runs that the other did not sign."""
    _, _, variant, generation = world.offer('ds')
    order, statement = world.order('ds', generation), world.statement()
    later = int(time.time()) + 300 * DAY
    far, sign = (f'issued={later}', f'expires={later + 300}'), 'sign=' + world.keys
    payload = rng.randbytes(4096)
    with open(world.dir + '/payload', 'wb') as f:
        f.write(payload)
    own = world.craft(variant, f'payload={world.dir}/payload', *far, sign)
    txn, fresh = world.newest_txn() + 1, generation + 100
    ordered = {'with the variant key': ('E_V_ROLE', 'action=1', sign + ':variant'),
               'fresh start': ('E_V_CONTROL', 'fresh', 'action=4', sign),
               'shutdown': ('E_V_CONTROL', 'bare', f'action={SHUTDOWN}', sign)}
    ordered = {what: (reason, world.craft(order, f'txn={txn}', f'generation={fresh}', *far, *changes))
               for what, (reason, *changes) in ordered.items()}
    world.lud_stop()
    with world.machine() as machine:
        def ahead():
            return machine.call(status={'service': 'rs'})['time'] - int(time.time())
        machine.call(stage_drop={})
        machine.admit(own)
        assert ahead() <= SKEW, 'the variant key moved time'
        for what, (reason, envelope) in ordered.items():
            refused(lambda e=envelope: machine.order(e), what, reason)
        assert ahead() <= SKEW, 'orders that were refused moved time'
        # The order key signs a layout of its own, and a statement of next year.
        forged = world.craft(own, sign + ':order')
        refused(lambda: machine.admit(forged), 'a variant by the order key', 'E_V_ROLE')
        machine.call(statement={'envelope': world.craft(statement, f'issued={later}', sign)})
        assert ahead() <= SKEW, 'the order key moved time'
    world.lud_start()
    world.settled()
    committed(world, 'rerandomize', 'ds')
    no_errors(world)


def rehearse(world, machine, release_envelope, order, *changes):
    """An order to prepare the variant, signed afresh."""
    machine.call(stage_drop={})
    payload, state, envelope = release_envelope
    machine.admit(envelope, payload, state)
    return machine.order(world.craft(order, *changes, f'action={PREPARE}', 'sign=' + world.keys))


def case_floor(world, rng):
    """A release that raises the floor: the way back is open until the confirm, and shut from then on."""
    world.old_release = world.service('ds')['release_id']
    *old, generation = world.offer('ds')
    order = world.order('ds', generation)
    old = (old[0], old[1], old[2])
    world.add_release('ds-2')
    world.settled()
    world.lud_stop()
    world.lud_start('lud_test', {'SAMSARA_DIE_AT': 'confirm.begin'})
    world.settled()
    world.luctl('update', 'ds')
    assert world.lud_has_died()

    def changes(ahead):
        now = int(time.time())
        return (f'txn={world.newest_txn() + ahead}', f'generation={generation + 50}', f'issued={now}',
                f'expires={now + 590}')
    with world.machine() as machine:
        result = rehearse(world, machine, old, order, *changes(1))
        assert result['outcome'] == 'OUTCOME_PREPARED', result
    world.lud_start()
    world.settled()
    assert world.check_truth('ds')['release_id'] != world.old_release
    world.lud_stop()
    with world.machine() as machine:
        refused(lambda: rehearse(world, machine, old, order, *changes(9)), 'a release below the floor', 'E_V_FLOOR')
    world.lud_start()
    world.settled()
    below(world)
    no_errors(world)


def below(world):
    """lud and the machine refuse the release below the floor, and take others."""
    before = world.service('ds')
    answer = world.luctl('update', 'ds', '--release', world.old_release[:16])
    assert answer.code in (1, 4, 7) and ('E_V_FLOOR' in answer.err or 'floor' in answer.err), (answer.code, answer.err)
    assert world.check_truth('ds')['generation'] == before['generation']
    committed(world, 'rerandomize', 'tty')


def case_rollback_below(world, rng):
    """`luctl rollback` goes no way that is shut."""
    answer = world.luctl('rollback', 'ds')
    assert answer.code in (1, 4, 7) and 'floor' in answer.err.lower(), (answer.code, answer.err)


def case_old_image(world, rng):
    """A reboot from last week's image: lud's statement brings floor, root and numbers back; time stays behind, which
    harms nothing, until the release key says it."""
    _, _, old, _ = world.offer('ds', 'past')
    world.luctl('keys', 'renew', '--keys', world.keys, '--replace', 'order', offline=True, check=True)
    committed(world, 'rerandomize', 'ds')
    numbers = world.service('ds')['generation']
    world.reboot_from_kept()
    assert world.service('ds')['release_id'] == world.old_release
    assert world.status()['time_ahead'] < -6 * DAY
    lab.until("lud's statement to be there", lab.DEADLINE, lambda: world.service('ds').get('floor') == 2)
    world.lud_stop()
    with world.machine() as machine:
        service, = machine.call(status={'service': 'ds'})['services']
        assert service['floor'] == 2 and service['generation'] < numbers, service
        refused(lambda: machine.admit(old), 'a variant of the old root', 'E_V_ROOT')
    world.lud_start()
    world.settled()
    below(world)
    answer = committed(world, 'update', 'ds')
    assert answer['generation'] > numbers and world.check_truth('ds')['release_id'] != world.old_release
    machine_time(world)
    no_errors(world)


def shutdowns(world):
    return world.record('SELECT count(*) FROM orders WHERE action = ?', SHUTDOWN)[0][0]


def case_stop(world, rng):
    """A machine ends by an order where a control key is at hand; else lud ends it from outside, and says so."""
    keyless = world.luctl('machine', 'stop', '--keys', world.dir + '/state', check=True)
    assert 'no control key' in keyless.err and shutdowns(world) == 0, keyless.err
    assert not world.qemu_pid()
    world.luctl('machine', 'start', check=True)
    world.wait_up()
    below(world)
    asked = world.luctl('machine', 'stop', '--keys', world.keys, check=True)
    assert 'no control key' not in asked.err and shutdowns(world) == 1, asked.err
    lab.until('the machine to end', lab.DEADLINE, lambda: not world.qemu_pid())
    off_by_order(world)


def off_by_order(world):
    lab.until('the end to be seen', lab.DEADLINE, lambda: world.luctl('machine', 'list', as_json=True).json[
        'machines'][0]['state'] not in ('up', 'connecting', 'silent'))
    machine, = world.luctl('machine', 'list', as_json=True, check=True).json['machines']
    assert machine['state'] == 'stopped' and machine['text'] == 'it was switched off by order', machine
    assert 'by order' in world.luctl('status').out


def case_off_inside(world, rng):
    """An order that lud did not send ends the machine in good order too, whether lud is there to see it or not. A
    machine that merely ends is down."""
    for away in (False, True):
        if not world.qemu_pid():
            world.luctl('machine', 'start', check=True)
        world.wait_up()
        committed(world, 'rerandomize', 'ds')
        order = world.order('ds', world.service('ds')['generation'])
        off = world.craft(order, f'txn={world.newest_txn() + 10}', 'bare', f'action={SHUTDOWN}', 'sign=' + world.keys,
                          f'also={world.keys}:control')
        world.lud_stop()
        with world.machine() as machine:
            if not away:
                world.lud_start()
            with contextlib.suppress(lab.wire.Ended, OSError):
                machine.order(off)
        lab.until('the machine to end', lab.DEADLINE, lambda: not world.qemu_pid())
        if away:
            world.lud_start()
        off_by_order(world)
    world.luctl('machine', 'start', check=True)
    world.wait_up()
    os.kill(world.qemu_pid(), signal.SIGKILL)
    lab.until('the machine to be down', lab.DEADLINE, lambda: world.luctl('machine', 'list', as_json=True).json[
        'machines'][0]['state'] == 'down')


CASES = [('a machine behind', case_behind), ('a day ahead', case_jump(1)), ('300 days ahead', case_jump(300)),
         ('400 days ahead', case_jump(400)), ('a day late', case_jump_back), ('a stolen key', case_stolen),
         ('the floor rises at the confirm', case_floor), ('rollback below the floor', case_rollback_below),
         ('an image of last week', case_old_image), ('machine stop', case_stop), ('off by an order from inside', case_off_inside)]

if __name__ == '__main__':
    cases.run(__doc__, CASES, world_type=TrustLab)
