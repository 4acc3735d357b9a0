#!/usr/bin/env python3
"""What must be refused is refused by RS, each for its own reason, and what fails on the way is undone: nothing has
changed afterwards, the cause can be read, and the next update works.

The bad envelopes go straight to the machine, while lud has let go of it; the rest goes through luctl and lud.
"""
import hashlib
import os
import signal
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


def variants(world, rng, now):
    """(what is wrong, reason, envelope) of variants that are shown to the machine."""
    _, _, good, _ = world.offer('ds', 'past')
    world.luctl('keys', 'init', '--keys', world.dir + '/foreign', offline=True, check=True)
    sign = 'sign=' + world.keys
    yield 'foreign key', 'E_V_KEY', world.craft(good, f'sign={world.dir}/foreign')
    yield 'key of another role', 'E_V_ROLE', world.craft(good, sign + ':order')
    yield 'changed after signing', 'E_V_SIGNATURE', world.craft(good, f'expires={now + 600}')
    kit = 'kit=' + os.path.join(world.kit('ds-2'), 'manifest.signed')
    yield 'kit of another release', 'E_V_RELEASE', world.craft(good, kit, sign)
    kit = 'kit=' + os.path.join(world.kit('tty'), 'manifest.signed')
    yield 'kit of another service', 'E_V_SERVICE', world.craft(good, kit, 'bind', sign)
    yield 'expired', 'E_V_EXPIRED', world.craft(good, f'issued={now - 7200}', f'expires={now - 3600}', sign)
    yield 'longer than the root allows', 'E_V_LIFE', world.craft(
        good, f'issued={now}', f'expires={now + 30 * 86400}', sign)
    yield 'another machine', 'E_V_MACHINE', world.craft(good, 'machine=' + '5a' * 16, sign)
    yield 'another root', 'E_V_', world.craft(good, f'root={world.dir}/foreign/root.signed', sign)
    for _ in range(20):
        at = rng.randrange(len(good))
        bad = bytearray(good)
        bad[at] ^= 1 << rng.randrange(8)
        yield f'envelope byte {at} changed', 'E_V_', bytes(bad)
    yield 'nothing', None, good


def orders(world, rng, now, good):
    """(what is wrong, reason, envelope) of orders for what is admitted and staged."""
    sign, live = 'sign=' + world.keys, (f'issued={now}', f'expires={now + 300}')
    txn = world.newest_txn() + 1
    newest = world.history('ds')[0]['generation']
    fresh = (f'txn={txn}', f'generation={newest + 100}', *live)
    yield 'foreign key', 'E_V_KEY', world.craft(good, *fresh, f'sign={world.dir}/foreign')
    yield 'variant key', 'E_V_ROLE', world.craft(good, *fresh, sign + ':variant')
    yield 'changed after signing', 'E_V_SIGNATURE', world.craft(good, *fresh)
    yield 'another machine', 'E_V_MACHINE', world.craft(good, *fresh, 'machine=' + '5a' * 16, sign)
    yield 'another boot', 'E_V_BOOT', world.craft(good, *fresh, 'boot=7', sign)
    yield 'another epoch', 'E_V_', world.craft(good, *fresh, 'epoch=9', sign)
    yield 'expired', 'E_V_EXPIRED', world.craft(good, *fresh, f'issued={now - 700}', f'expires={now - 300}', sign)
    yield 'longer than the root allows', 'E_V_LIFE', world.craft(good, *fresh, f'expires={now + 86400}', sign)
    yield 'a generation that ran', 'E_V_REPLAY', world.craft(good, f'txn={txn}', *live, sign)
    yield 'consent without a control key', 'E_V_CONTROL', world.craft(good, *fresh, 'consent=' + '5a' * 64, sign)
    yield 'consent to another pairing', 'E_V_CONSENT', world.craft(
        good, *fresh, 'consent=' + '5a' * 64, sign, f'also={world.keys}:control')
    for action in (4, 5):
        bare = ('bare',) if action == 5 else ()
        yield f'action {action} without a control key', 'E_V_', world.craft(
            good, *fresh, *bare, f'action={action}', sign)
    for _ in range(20):
        at = rng.randrange(len(good))
        bad = bytearray(world.craft(good, *fresh, sign))
        bad[at] ^= 1 << rng.randrange(8)
        yield f'order byte {at} changed', 'E_V_', bytes(bad)
    yield 'nothing', None, world.craft(good, *fresh, 'action=2', sign)


def refused(ask, what, reason):
    """The machine says no at once, for this reason."""
    try:
        ask()
    except lab.wire.Refused as e:
        assert reason in str(e), (what, reason, str(e))
        return
    raise AssertionError(f'{what} was accepted')


def case_offers(world, rng):
    """Straight to the machine; the last of each, with nothing wrong, shows that the others were refused for their
    flaw. A refused order uses no number up."""
    world.add_release('ds-2')
    committed(world, 'rerandomize', 'ds')
    committed(world, 'rerandomize', 'ds')
    before = world.check_truth('ds')
    now = int(time.time())
    payload, state, good, generation = world.offer('ds', 'past')
    shown = list(variants(world, rng, now))
    ordered = list(orders(world, rng, now, world.order('ds', generation)))
    # Another payload, properly signed for, of which a bit changes on the way.
    other = bytearray(payload)
    other[-1] ^= 1
    with open(world.dir + '/payload', 'wb') as f:
        f.write(other)
    named = world.craft(world.offer('ds', 'past')[2], f'payload={world.dir}/payload', 'sign=' + world.keys)
    flipped = bytearray(other)
    flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    world.lud_stop()
    with world.machine() as machine:
        machine.call(stage_drop={})
        for what, reason, envelope in shown:
            if reason is not None:
                refused(lambda e=envelope: machine.admit(e), what, reason)
        junk = hashlib.blake2b(b'junk').digest()
        refused(lambda: machine.call(stage_begin={'hash': junk, 'len': 4}), 'a blob that nobody signed for', 'E_V_')
        machine.admit(named)
        digest = hashlib.blake2b(other).digest()
        refused(lambda: machine.stage(bytes(flipped), digest), 'payload with one flipped bit', 'E_V_HASH')
        machine.admit(good, payload, state)
        for what, reason, envelope in ordered:
            if reason is not None:
                refused(lambda e=envelope: machine.order(e), what, reason)
        result = machine.order(ordered[-1][2])
        assert result['outcome'] == 'OUTCOME_PREPARED', result
        # The same again is answered with the first result, and is not done again.
        accepted = machine.call(order_run={'envelope': ordered[-1][2]})
        assert accepted, 'a repeated order has no answer'
        machine.call(stage_drop={})
    world.lud_start()
    unchanged(before, world.check_truth('ds'))
    committed(world, 'rerandomize', 'ds')
    no_errors(world)


def clock(world, text):
    """What the signer takes the time for: a difference in seconds, "" is the truth."""
    if text:
        with open(world.clock, 'w') as f:
            f.write(text)
    elif os.path.exists(world.clock):
        os.unlink(world.clock)


def case_clock_late(world, rng):
    """The signer's clock is late: what it signs has expired when it arrives."""
    clock(world, f'{-2 * LIFETIME_SEC:+}')
    before = world.check_truth('ds')
    answer = world.luctl('rerandomize', 'ds')
    clock(world, '')
    assert answer.code == 7 and 'E_V_EXPIRED' in answer.err, (answer.code, answer.out, answer.err)
    unchanged(before, world.check_truth('ds'))
    newest = world.history('ds')[0]
    assert newest['state'] == 'refused' and newest['job']['cause']['name'] == 'E_V_EXPIRED', newest
    committed(world, 'rerandomize', 'ds')
    no_errors(world)


def case_clock_early(world, rng):
    """The signer's clock jumps a day ahead and back: what it signed meanwhile runs, and moves no time beyond the
    machine's own clock and ten minutes, so that everything goes on as before."""
    clock(world, '+86400')
    committed(world, 'rerandomize', 'ds')
    assert world.status()['time_ahead'] <= 601, world.status()['time_ahead']
    clock(world, '')
    committed(world, 'rerandomize', 'ds')
    assert world.check_truth('ds')
    no_errors(world)


def case_time(world, rng):
    """The machine's time is set forward by a day with the release key: lud says so and signs nothing; set back, all
    is well. The online keys cannot do it."""
    status = world.status()
    ids = (status['machine']['machine_id'], str(status['machine']['boot_id']), str(status['time_nonce']))
    later = str(int(time.time()) + 86400)
    made = world.luctl('keys', 'time', *ids, '--at', later, '--keys', world.keys, offline=True, check=True).out
    path = world.dir + '/statement'
    for changes, reason in ((('sign=' + world.keys + ':order',), 'E_V_ROLE'), (('nonce=5', 'sign=' + world.keys), 'E_V_')):
        with open(path, 'w') as f:
            f.write(world.craft(bytes.fromhex(made), *changes).hex())
        answer = world.luctl('machine', 'time', '--file', path)
        assert answer.code != 0 and reason in answer.err, answer.err
    with open(path, 'w') as f:
        f.write(made)
    world.luctl('machine', 'time', '--file', path, check=True)
    assert world.luctl('machine', 'time', '--file', path).code != 0, 'a time statement is good once'
    ahead = world.status()['time_ahead']
    assert 86000 < ahead < 87000, ahead
    signed = world.newest_txn()
    answer = world.luctl('rerandomize', 'ds')
    assert answer.code == 1 and 'luctl machine time' in answer.err, (answer.code, answer.err)
    assert world.newest_txn() == signed
    world.luctl('machine', 'time', '--keys', world.keys, check=True)
    assert abs(world.status()['time_ahead']) < 60
    committed(world, 'rerandomize', 'ds')
    no_errors(world)


def case_control(world, rng):
    """A fresh start loses state and a shutdown ends the machine: with the person's key only."""
    before = world.service('assist')
    assert world.luctl('restart', 'assist', '--keys', world.dir + '/state').code == 7
    assert world.luctl('restart', 'assist', '--keys', world.dir + '/foreign').code != 0
    assert world.service('assist')['restarts'] == before['restarts']
    committed(world, 'restart', 'assist', '--keys', world.keys)
    after = world.settled('assist')
    assert after['uptime_ns'] < before['uptime_ns'] + 1, (before, after)
    committed(world, 'rerandomize', 'assist')
    no_errors(world)


def case_damaged_file(world, rng):
    """A bit of the forged payload changes on the disk before it is staged."""
    before = world.check_truth('ds')
    world.lud_stop()
    world.lud_start('lud_test', {'SAMSARA_STOP_AT': 'stage.begin'})
    world.settled('ds')
    asker = world.luctl_begin('update', 'ds', '--release', before['release_id'][:16], '--layout', 'host')
    lab.until('lud to halt', lab.DEADLINE, world.lud_is_halted)
    path, = world.record('SELECT path FROM variants ORDER BY id DESC LIMIT 1')[0]
    with open(path, 'r+b') as f:
        at = rng.randrange(os.path.getsize(path))
        f.seek(at)
        byte = f.read(1)[0] ^ 1 << rng.randrange(8)
        f.seek(at)
        f.write(bytes([byte]))
    world.lud.send_signal(signal.SIGCONT)
    asker.communicate(timeout=lab.DEADLINE)
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
        assert answer.code == 5 and reason in answer.err, (answer.code, answer.err)
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


CASES = [('offers to the machine', case_offers), ("the signer's clock is late", case_clock_late),
         ("the signer's clock is early", case_clock_early), ("the machine's time", case_time),
         ('what destroys', case_control),
         ('payload damaged on disk', case_damaged_file),
         ('new instance fails', case_bad_instance('assist-fail', 'E_CHECK')),
         ('new instance crashes', case_bad_instance('assist-crash', 'E_CRASHED')),
         ('new instance hangs', case_bad_instance('assist-hang', 'E_TIMEOUT', '--timeout', '10s')),
         ('new instance exits', case_bad_instance('assist-exit', 'E_EXITED')),
         ('next release', case_next_release)]


class ClockLab(lab.Lab):
    """A lab whose signer asks a file for the time; what is refused are variants, so the host makes them."""

    layout = 'host'

    def __init__(self, build, **options):
        config = (f'programs:\n  lusign: "{os.path.abspath(build)}/keyring/signer/lusign_test"\n'
                  f'forge:\n  variant_lifetime: "{LIFETIME_SEC // 3600}h"\n')
        super().__init__(build, more_config=config, **options)
        self.clock = os.path.join(self.dir, 'clock')

    def lud_launch(self, program=None, env=None):
        super().lud_launch(program, dict(env or {}, LUSIGN_TEST_CLOCK=self.clock))


if __name__ == '__main__':
    cases.run(__doc__, CASES, world_type=ClockLab)
