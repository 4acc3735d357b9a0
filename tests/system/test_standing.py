#!/usr/bin/env python3
"""Standing orders: the machine moves its services by itself, whatever becomes of lud, and lud keeps it at it."""
import re

import cases
import lab

EVERY = 0.5  # s between two layouts of a service
TURNS = 120  # s in which some turns come on any host


def standing(world):
    return world.status().get('standing') or {'state': 'none', 'services': []}


def is_running(world):
    return standing(world)['state'] == 'running'


def turns(world, name):
    """The counts of a service, as numbers."""
    for service in standing(world)['services']:
        if service['service'] == name:
            return {key: int(service[key]) for key in ('moved', 'skipped', 'failed')}
    return None


def until_moved(world, name, more=2):
    """It is moved again, by the machine alone."""
    made = int(world.service(name)['made'])
    lab.until(f'{name} to be moved {more} times', TURNS, lambda: int(world.service(name)['made']) >= made + more)


def rows(world, name):
    return len(world.history(name))


def case_every(world, rng):
    """Services move under load, again and again: no job, no row, no error, and the figures add up."""
    world.luctl('rerandomize', 'ds', 'assist', '--layout', 'machine', check=True)
    before, jobs, generations = world.service('ds'), len(world.luctl('jobs', check=True).out.splitlines()), rows(world, 'ds')
    said = world.luctl('rerandomize', 'ds', 'assist', '--every', f'{int(EVERY * 1000)}ms', '--jitter', '50ms', check=True).out
    assert 'by itself' in said, said
    assert is_running(world)
    for name in ('ds', 'assist'):
        until_moved(world, name, 3)
    after = world.check_truth()
    assert after['generation'] == before['generation'] and after['endpoint'] == before['endpoint']
    assert after['machine_made'] and after['commitment'] != before['commitment'], after
    assert len(after['sealed']) == 160 and after['sealed'] != before['sealed'], after
    assert world.wait_load()['errors'] == 0
    assert turns(world, 'ds')['moved'] >= 3 and turns(world, 'ds')['failed'] == 0, turns(world, 'ds')
    assert rows(world, 'ds') == generations
    assert len(world.luctl('jobs', check=True).out.splitlines()) == jobs
    text = world.luctl('status', check=True).out
    assert 'standing order: services move' in text and '500' in text, text
    assert re.search(r'  ds: \d+ layouts since generation \d+, first [^,]+ ago, last [^,]+ ago, chain [0-9a-f]{8}', text), text


def case_order(world, rng):
    """An order goes first; after an update lud lists the service with the release that it runs now."""
    world.add_release('ds-2')
    answer = world.luctl('update', 'ds', '--layout', 'machine', check=True, as_json=True).json
    assert answer['state'] == 'confirmed', answer
    until_moved(world, 'ds')
    after = world.check_truth()
    assert after['generation'] == answer['generation'] and after['release_id'] == answer['release_id']
    assert world.wait_load()['errors'] == 0


def case_lud_dies(world, rng):
    """The machine goes on without lud, and lud takes the order up where it was."""
    number = standing(world)['number']
    made = int(world.service('ds')['made'])
    world.lud_kill()
    world.lud_start()
    world.wait_up()
    lab.until('ds to have been moved meanwhile', TURNS, lambda: int(world.service('ds')['made']) > made)
    assert is_running(world) and standing(world)['number'] == number, (number, standing(world))
    assert world.wait_load()['errors'] == 0


def case_boot(world, rng):
    """Another boot knows of no order, and is given one."""
    world.luctl('machine', 'stop', '--keys', world.keys, check=True)
    world.luctl('machine', 'start', check=True)
    world.wait_up()
    lab.until('the order to be given again', TURNS, lambda: is_running(world))
    until_moved(world, 'assist')


def case_kits(world, rng):
    """A machine has no kit of what the host made: lud stages those that an order needs, as soon as one needs them."""
    world.add_release('ds')
    answer = world.luctl('update', 'ds', *lab.HOST, check=True, as_json=True).json
    # By its result: the machine may have moved it on before it could be asked.
    assert answer['state'] == 'confirmed' and int(answer['result']['base_address']), answer
    until_moved(world, 'ds')
    after = world.check_truth()
    assert after['machine_made'] and after['release_id'] == answer['release_id'], after
    # Asked for by a person, when there is none yet.
    world.luctl('rerandomize', '--every', 'off', check=True)
    world.add_release('ds-2')
    answer = world.luctl('update', 'ds', *lab.HOST, check=True, as_json=True).json
    world.luctl('rerandomize', '--all', '--every', f'{int(EVERY * 1000)}ms', check=True)
    until_moved(world, 'ds')
    assert world.service('ds')['release_id'] == answer['release_id'] and not turns(world, 'ds')['failed'], standing(world)
    assert world.wait_load()['errors'] == 0


def case_root(world, rng):
    """A newer root ends an order, and what kits were shown under; lud gives both anew."""
    before = standing(world)
    world.luctl('keys', 'renew', '--keys', world.keys, '--replace', 'order', offline=True, check=True)
    lab.until('the order to be given under the newer root', TURNS,
              lambda: int(standing(world)['epoch']) > int(before['epoch']) and is_running(world))
    failed = turns(world, 'ds')['failed']
    until_moved(world, 'ds')
    until_moved(world, 'assist')
    assert turns(world, 'ds')['failed'] == failed, standing(world)
    assert world.wait_load()['errors'] == 0


def case_off(world, rng):
    """It ends when that is asked for, and stays ended."""
    world.luctl('rerandomize', '--every', 'off', check=True)
    assert standing(world)['state'] == 'withdrawn', standing(world)
    made = int(world.settled('ds')['made'])  # one that was on its way is over
    world.lud_kill()
    world.lud_start()
    world.wait_up()
    assert world.wait_load()['errors'] == 0
    assert int(world.service('ds')['made']) == made
    assert 'nothing moves' in world.luctl('status', check=True).out


def case_refused(world, rng):
    """What makes no standing order is refused before anything is recorded."""
    for code, command in ((2, ('ds', '--every', '0s')), (2, ('ds', '--every', 'sometimes')),
                          (2, ('--every', '20s')), (2, ('ds', '--jitter', '1s')),
                          (2, ('ds', '--every', '20s', '--quiet', '8-9')), (2, ('ds', '--every', 'off')),
                          (2, ('ds', '--every', '20s', '--quiet', '08:00-08:00'))):
        answer = world.luctl('rerandomize', *command, offline=True)
        assert answer.code == code, (command, answer.code, answer.err)
    for code, command in ((3, ('nobody', '--every', '20s')), (4, ('vm', '--every', '20s')), (2, ('ds', '--every', '50ms')),
                          (2, ('ds', '--every', '1s', '--jitter', '2s'))):
        answer = world.luctl('rerandomize', *command)
        assert answer.code == code and answer.err.startswith('luctl: '), (command, answer.code, answer.err)
    assert standing(world)['state'] == 'withdrawn', standing(world)


CASES = [('every', case_every), ('orders go first', case_order), ('lud dies', case_lud_dies),
         ('another boot', case_boot), ('kits', case_kits), ('a newer root', case_root), ('off', case_off), ('refused', case_refused)]

if __name__ == '__main__':
    cases.run(__doc__, CASES)
