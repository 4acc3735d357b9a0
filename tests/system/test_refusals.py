#!/usr/bin/env python3
"""What must be refused is refused by RS, each for its own reason, and what fails on the way is undone: nothing has
changed afterwards, the cause can be read, and the next update works.

The bad envelopes go straight to the machine, while lud has let go of it; the rest goes through luctl and lud.
"""
import hashlib
import os
import time

import cases
import lab

KEPT = ('generation', 'build_id', 'base_address', 'endpoint', 'release_id', 'restarts')
LIFETIME_SEC = 3600


def unchanged(before, after):
    for key in KEPT:
        assert after[key] == before[key], (key, before[key], after[key])


def committed(world, *command):
    answer = world.luctl(*command, as_json=True)
    assert answer.code == 0, answer.out + answer.err
    return answer.json


def no_errors(world):
    load = world.wait_load(100)
    assert load['errors'] == 0, load


def add_release(world, kit):
    """Sign and register; the release's id."""
    world.add_release(kit)
    with open(os.path.join(world.kit(kit), 'manifest'), 'rb') as f:
        return hashlib.blake2b(f.read()).hexdigest()[:16]


def offers(world, rng, now):
    """(what is wrong, reason, envelope, payload, description) of everything offered to the machine."""
    _, _, running, generation = world.offer('ds')
    payload, state, good, _ = world.offer('ds', 'past')
    world.luctl('keys', 'init', '--keys', world.dir + '/foreign', offline=True, check=True)
    sign = (f'generation={generation + 100}', 'sign=' + world.keys)
    ours = world.craft(good, *sign)
    flipped = bytearray(payload)
    flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    dirty = bytearray(state)
    dirty[rng.randrange(len(dirty))] ^= 1 << rng.randrange(8)
    yield 'payload with one flipped bit', 'E_V_HASH', ours, bytes(flipped), state
    yield 'description with one flipped bit', 'E_V_DESCRIPTION', ours, payload, bytes(dirty)
    yield 'foreign key', 'E_V_KEY', world.craft(good, sign[0], f'sign={world.dir}/foreign'), payload, state
    yield 'changed after signing', 'E_V_SIGNATURE', world.craft(good, sign[0]), payload, state
    kit = 'kit=' + os.path.join(world.kit('ds-2'), 'manifest.signed')
    yield 'kit of another release', 'E_V_RELEASE', world.craft(good, kit, *sign), payload, state
    kit = 'kit=' + os.path.join(world.kit('tty'), 'manifest.signed')
    yield 'kit of another service', 'E_V_SERVICE', world.craft(good, kit, 'bind', *sign), payload, state
    late = world.craft(good, f'issued={now - 7200}', f'expires={now - 3600}', *sign)
    yield 'expired', 'E_V_EXPIRED', late, payload, state
    early = world.craft(good, f'issued={now + 10**8}', f'expires={now + 10**8 + 10**5}', *sign)
    yield 'after the time of the keys', 'E_V_KEY_EXPIRED', early, payload, state
    yield 'another machine', 'E_V_MACHINE', world.craft(good, 'machine=' + '5a' * 16, *sign), payload, state
    yield 'replay of what runs', 'E_V_REPLAY', running, payload, state
    yield 'replay of what ran', 'E_V_REPLAY', good, payload, state
    for _ in range(20):
        at = rng.randrange(len(ours))
        bad = bytearray(ours)
        bad[at] ^= 1 << rng.randrange(8)
        yield f'envelope byte {at} changed', 'E_V_', bytes(bad), payload, state
    yield 'nothing', None, ours, payload, state


def case_offers(world, rng):
    """Straight to the machine; the last one, with nothing wrong, shows that the others were refused for their flaw."""
    world.add_release('ds-2')
    committed(world, 'rerandomize', 'ds')
    before = world.check_truth('ds')
    made = list(offers(world, rng, int(time.time())))
    txn = int(time.time() * 1e6)
    world.lud_stop()
    with world.machine() as machine:
        for n, (what, reason, envelope, payload, state) in enumerate(made):
            result = machine.update(txn + n, 'ds', envelope, payload, state, prepare_only=True)
            if reason is None:
                assert result['outcome'] == 'OUTCOME_PREPARED', result
                continue
            assert result['outcome'] == 'OUTCOME_REFUSED', (what, result)
            assert result['cause']['name'].startswith(reason), (what, reason, result['cause'])
            assert result['cause']['message'], what
        machine.call(stage_drop={})
    world.lud_start()
    unchanged(before, world.check_truth('ds'))
    committed(world, 'rerandomize', 'ds')
    no_errors(world)


def case_clock(world, rng):
    """The signer's clock is late: what it signs has expired when it arrives."""
    with open(world.clock, 'w') as f:
        f.write(f'{-2 * LIFETIME_SEC:+}')
    before = world.check_truth('ds')
    answer = world.luctl('rerandomize', 'ds')
    os.unlink(world.clock)
    assert answer.code == 5 and 'E_V_EXPIRED' in answer.err, (answer.code, answer.out, answer.err)
    unchanged(before, world.check_truth('ds'))
    newest = world.history('ds')[0]
    assert newest['state'] == 'refused' and newest['job']['cause']['name'] == 'E_V_EXPIRED', newest
    committed(world, 'rerandomize', 'ds')
    no_errors(world)


def case_damaged_file(world, rng):
    """A bit of the forged payload changes on the disk before it is staged."""
    before = world.check_truth('ds')
    world.lud_stop()
    world.lud_start('lud_test', {'SAMSARA_DIE_AT': 'stage.begin'})
    world.settled('ds')
    world.luctl('update', 'ds', '--release', before['release_id'][:16])
    assert world.lud_has_died()
    path, = world.record('SELECT path FROM variants ORDER BY id DESC LIMIT 1')[0]
    with open(path, 'r+b') as f:
        at = rng.randrange(os.path.getsize(path))
        f.seek(at)
        byte = f.read(1)[0] ^ 1 << rng.randrange(8)
        f.seek(at)
        f.write(bytes([byte]))
    world.lud_start()
    unchanged(before, world.check_truth('ds'))
    newest = world.history('ds')[0]
    assert newest['state'] != 'running' and newest['job']['cause']['name'] == 'E_V_HASH', newest
    committed(world, 'rerandomize', 'ds')
    no_errors(world)


def case_bad_instance(kit, reason, *options):
    """The new instance does not get through; the old one goes on as if nothing had been."""
    def case(world, rng):
        before = world.check_truth('assist')
        answer = world.luctl('update', 'assist', '--release', add_release(world, kit), *options)
        assert answer.code == 6 and reason in answer.err, (answer.code, answer.err)
        unchanged(before, world.check_truth('assist'))
        row = world.history('assist')[0]
        assert row['state'] == 'rolled back', row
        assert row['job']['cause']['name'] == reason and row['job']['cause']['step'] == 'transfer', row['job']['cause']
        assert row['job']['cause']['component'] and row['job']['cause']['message'], row['job']['cause']
        assert reason in world.luctl('show', 'assist', str(row['generation']), check=True).out
        assert row['job']['cause']['message'] in world.luctl('history', 'assist', check=True).out
        committed(world, 'update', 'assist', '--release', before['release_id'][:16])
        world.check_truth('assist')
        no_errors(world)
    return case


def case_next_release(world, rng):
    """After all that a good new release of the same service goes in."""
    answer = committed(world, 'update', 'assist', '--release', add_release(world, 'assist-2'))
    assert world.check_truth('assist')['release_id'] == answer['release_id']


CASES = [('offers to the machine', case_offers), ("the signer's clock", case_clock),
         ('payload damaged on disk', case_damaged_file),
         ('new instance fails', case_bad_instance('assist-fail', 'E_CHECK')),
         ('new instance crashes', case_bad_instance('assist-crash', 'E_CRASHED')),
         ('new instance hangs', case_bad_instance('assist-hang', 'E_TIMEOUT', '--timeout', '1s')),
         ('new instance exits', case_bad_instance('assist-exit', 'E_EXITED')),
         ('next release', case_next_release)]


class ClockLab(lab.Lab):
    """A lab whose signer asks a file for the time."""

    def __init__(self, build, **options):
        config = (f'programs:\n  lusign: "{os.path.abspath(build)}/keyring/lusign_test"\n'
                  f'forge:\n  variant_lifetime: "{LIFETIME_SEC // 3600}h"\n')
        super().__init__(build, more_config=config, **options)
        self.clock = os.path.join(self.dir, 'clock')

    def lud_launch(self, program=None, env=None):
        super().lud_launch(program, dict(env or {}, LUSIGN_TEST_CLOCK=self.clock))


if __name__ == '__main__':
    cases.run(__doc__, CASES, world_type=ClockLab)
