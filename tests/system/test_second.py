#!/usr/bin/env python3
"""A machine that was started to keep no kits: what runs there was signed by two variant keys, of two signers that have
each made it again. One signature is not enough, a key that the root does not name counts for nothing, and the machine
makes no layouts."""
import os
import shutil
import subprocess
import sys

import cases
import lab

sys.path.insert(0, os.path.join(lab.ROOT, 'tests'))
import orders  # noqa: E402


class Lab(lab.Lab):
    """A lab whose machine keeps no kits, with a second signer that listens at a socket."""

    def __init__(self, build, **more):
        super().__init__(build, **more)
        self.second_keys = os.path.join(self.dir, 'second')
        self.second_socket = os.path.join(self.dir, 'second.sock')
        self.more_config = f'signer:\n  second: "{self.second_socket}"\nkits:\n  m1: none\n'
        self.second = None

    def prepare(self):
        super().prepare()
        self.second_named(self.second_key(self.second_keys))
        self.second_start()

    def second_key(self, keys):
        return self.luctl('keys', 'second', '--keys', keys, offline=True, check=True, as_json=True).json['public']

    def second_named(self, key):
        self.luctl('keys', 'renew', '--second', key, '--keys', self.keys, offline=True, check=True)
        shutil.copy(os.path.join(self.keys, 'root.signed'), self.second_keys)

    def second_start(self):
        self.second_stop()
        self.second = subprocess.Popen([self.program('keyring', 'signer', 'lusign'), '--second', '--keys',
                                        self.second_keys, '--listen', self.second_socket], stdin=subprocess.DEVNULL)
        lab.until('the second signer to listen', lab.DEADLINE, lambda: os.path.exists(self.second_socket))

    def second_stop(self):
        if self.second is not None:
            self.second.terminate()
            self.second.wait()
            os.unlink(self.second_socket)
            self.second = None

    def end(self):
        self.second_stop()
        super().end()


def signers(world, generation):
    return set(world.show('ds', generation)['signed_by'])


def case_two(world, rng):
    """Update, rollback and rerandomize, by two signatures each, with all state and no error."""
    status = world.status()
    assert status['no_kits'] and 'keeps no kits' in world.luctl('status', check=True).out, status
    world.add_release('ds-2')
    runs = {world.check_truth('ds')['release_id']}
    for command in (('update', 'ds'), ('rollback', 'ds'), ('rerandomize', 'ds')):
        answer = world.luctl(*command, check=True, as_json=True)
        now = world.check_truth('ds')
        assert not now['machine_made'] and len(signers(world, now['generation'])) == 2, (command, answer.out, now)
        runs.add(now['release_id'])
        assert world.wait_load()['errors'] == 0
    assert len(runs) == 2
    # What it was booted with is between lud and this host.
    assert len(signers(world, 1)) == 1


def case_machine(world, rng):
    """What a machine without kits cannot do is refused with the reason, and done by the host where nobody says."""
    for command in (('rerandomize', 'ds', '--layout', 'machine'), ('rerandomize', 'ds', '--every', '1s')):
        told = world.luctl(*command)
        assert told.code == 4 and 'keep' in told.err and 'no kits' in told.err, told.err
    assert not world.check_truth('ds')['machine_made']


def case_one(world, rng):
    """With the signature of one key, or with a second that the root does not name, the machine refuses."""
    for _ in range(2):
        world.luctl('rerandomize', 'ds', check=True)
    before = world.check_truth('ds')
    payload, state, envelope, generation = world.offer('ds', 'past')
    stranger = os.path.join(world.dir, 'stranger')
    world.second_key(stranger)
    root, txn = orders.parts(envelope)[0][0], world.newest_txn() + 1
    world.lud_stop()
    with world.machine() as machine:
        def rehearse(number, *changes):
            variant = world.craft(envelope, *changes)
            machine.admit(variant, payload, state)
            status = machine.call(status={'service': 'rs'})
            made = orders.manifest(status, number, orders.PREPARE, [orders.component('ds', variant, generation + 9)],
                                   epoch=status['root_serial'])
            return machine.order(orders.sign(world.build, world.dir, root, made))

        for change, error in ((('sign=' + world.keys,), 'E_V_THRESHOLD'),
                              (('sign=' + world.keys, 'also=' + stranger), 'E_V_KEY')):
            try:
                raise AssertionError(f'{error}: it was accepted: {rehearse(txn, *change)}')
            except lab.wire.Refused as e:
                assert error in str(e), (error, str(e))
        result = rehearse(txn, 'sign=' + world.keys, 'also=' + world.second_keys)
        assert result['outcome'] == 'OUTCOME_PREPARED', result
        machine.call(stage_drop={})
    world.lud_start()
    after = world.check_truth('ds')
    assert (after['generation'], after['build_id']) == (before['generation'], before['build_id'])


def case_down(world, rng):
    """Without its second signer lud says who is missing; nothing is run, and with it all goes on."""
    before = world.check_truth('ds')
    world.second_stop()
    told = world.luctl('rerandomize', 'ds')
    assert told.code == 1 and 'second signer' in told.err and 'lusign --second' in told.err, (told.code, told.err)
    assert world.check_truth('ds')['generation'] == before['generation']
    # Where it runs, and the root does not name its key.
    world.second_named('none')
    world.second_start()
    told = world.luctl('rerandomize', 'ds')
    assert told.code == 7 and 'does not name' in told.err, (told.code, told.err)
    assert world.check_truth('ds')['generation'] == before['generation']


CASES = [('two signatures', case_two), ('what it cannot do', case_machine), ('one signature', case_one),
         ('the second signer is away', case_down)]

if __name__ == '__main__':
    cases.run(__doc__, CASES, world_type=Lab)
