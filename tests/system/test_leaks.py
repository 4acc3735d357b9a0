#!/usr/bin/env python3
"""Updates leave nothing behind: three staged payloads, ordered again each time, taken in turns; then as many frames,
slots, spaces and grants are free as before. Speaks the machine protocol itself; lud is out of the way.

Payloads lie where they were drawn once, and each instance has its heap and stack at places drawn for it: one in some
ten thousand updates finds its place taken, which the machine refuses (E_V_OVERLAP). The next payload is taken then.
"""
import time

import cases
import lab
import wire

WATCHED = ('slots_free', 'spaces_free', 'grants_used', 'stage_used', 'irq_hooks_free')
SETTLE = 30
# Frames by which the machine breathes while the load goes on; fewer than there are updates.
SLACK = 12
# More than so many refused places are no accident.
OVERLAPS_MAX = 3


class Turns:
    """Three variants of a service, ordered again and again under rising generations."""

    def __init__(self, world, machine, service):
        self.world, self.machine, self.service = world, machine, service
        self.pairs, self.at, self.n_overlaps = [], 0, 0
        for _ in range(3):
            world.luctl('update', service, *lab.HOST, check=True)
            payload, state, envelope, self.generation = world.offer(service)
            self.pairs.append((payload, state, envelope, world.order(service, self.generation)))
        self.txn = world.newest_txn()

    def take(self):
        while True:
            self.at = (self.at + 1) % len(self.pairs)
            try:
                return self.take_one(*self.pairs[self.at])
            except wire.Refused as refused:
                self.n_overlaps += 1
                if 'E_V_OVERLAP' not in str(refused) or self.n_overlaps > OVERLAPS_MAX:
                    raise

    def take_one(self, payload, state, envelope, order):
        self.generation += 1
        self.txn += 1
        now = int(time.time())
        good = self.world.craft(order, f'generation={self.generation}', f'txn={self.txn}', f'issued={now}',
                                f'expires={now + 300}', 'sign=' + self.world.keys)
        self.machine.admit(envelope, payload, state)
        return self.machine.order(good)


def figures(machine):
    return machine.call(resources={})


def settled(machine):
    """The figures once frames have stayed nearly the same for a while."""
    last, since, deadline = figures(machine), time.monotonic(), time.monotonic() + SETTLE
    while time.monotonic() < deadline and time.monotonic() - since < 3:
        time.sleep(0.1)
        now = figures(machine)
        if abs(now['frames_free'] - last['frames_free']) > 4:
            last, since = now, time.monotonic()
    return last


def case_service(service, times):
    def case(world, rng):
        turns = Turns(world, None, service)
        world.wait_load(30000)  # it has made its keys, which are memory too
        world.lud_stop()
        with world.machine() as machine:
            turns.machine = machine
            for _ in range(6):
                assert turns.take()['outcome'] == 'OUTCOME_COMMITTED'
            before = settled(machine)
            started, worst = time.monotonic(), 0
            for n in range(times):
                result = turns.take()
                assert result['outcome'] == 'OUTCOME_COMMITTED', (n, result)
                worst = max(worst, result['blackout_ns'])
            spent = time.monotonic() - started
            after = settled(machine)
        world.lud_start()
        world.settled(service)
        for key in WATCHED:
            assert after.get(key, 0) == before.get(key, 0), (key, before, after)
        assert after['frames_free'] >= before['frames_free'] - SLACK, (before, after)
        load = world.metrics()
        assert load['errors'] == 0, load
        print(f'# {times} updates of {service} in {spent:.1f} s, {turns.n_overlaps} places taken, longest blackout {worst / 1e6:.2f} ms; free frames '
              f'{before["frames_free"]} before, {after["frames_free"]} after; slots {after["slots_free"]}, '
              f'spaces {after["spaces_free"]}, grants used {after["grants_used"]}; load errors {load["errors"]}, '
              f'operations {load["operations"]}, longest gap {load["gap_us"]} us')
    return case


def case_record(world, rng):
    """lud did not see these updates, and does not claim that it did: the next one is above them all."""
    answer = world.luctl('rerandomize', 'ds', as_json=True)
    assert answer.code == 0 and answer.json['jobs'][0]['state'] == 'confirmed', answer.out + answer.err
    world.check_truth('ds')


def all_cases(args):
    return [(f'{args.updates} updates of {s}', case_service(s, args.updates)) for s in args.services.split()] + [
        ('lud goes on', case_record)]


if __name__ == '__main__':
    cases.run(__doc__, all_cases, extra=(('updates', 30, 'of each service'), ('services', 'ds assist', 'in this order')))
