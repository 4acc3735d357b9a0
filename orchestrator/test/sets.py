"""What the tests of sets share: services with two releases each, and looks at what becomes of a set of them."""

import os

import peer
from harness import record

# Two services and what they run; `agent` calls `ds`, and so goes first.
SERVICES = ('ds', 'agent')
CALLS = {'agent': ('ds',)}


def prepare(world, services=SERVICES, **says):
    """lud up, and a machine that runs release 1 of each service; release 2 is there."""
    world.set_kits = {}
    for service in services:
        world.set_kits[service] = [
            world.kit(service, n, calls=CALLS.get(service, ()), **(says if n == 2 else {})) for n in (1, 2)]
        world.peer.add_service(service, world.release_id(world.set_kits[service][0]))
    world.start()
    world.luctl('release', 'add', *(kit for kits in world.set_kits.values() for kit in kits))
    world.luctl('machine', 'start', 'm', '--attach', world.peer.path)


def runs(world):
    """Which release each service runs, by number."""
    return {service: 1 + [world.release_id(kit) for kit in kits].index(world.peer.services[service]['release_id'])
            for service, kits in world.set_kits.items()}


def ordered(world):
    """The services of all updates that the machine began, in their order."""
    return [order.service for order in world.peer.orders if order.action == peer.UPDATE]


def to_first(world):
    """Each service by itself back to its first release."""
    for service in world.set_kits:
        world.luctl('update', service, '--release', '1')


def shown(world, job):
    with world.control() as control:
        return control.call(job_show={'job': job})


def the_set(world):
    """The newest set."""
    job, = record(world, 'SELECT max(id) FROM jobs WHERE kind = 9')
    return shown(world, job)


def is_over(world):
    """No job is open."""
    return not record(world, 'SELECT count(*) FROM jobs WHERE ended_us = 0')[0]


def states(job):
    return [(m['service'], m['kind'][9:].lower(), m['state'][10:].lower()) for m in job['children']]


def policy(world, text, name='p'):
    path = os.path.join(world.dir, name + '.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: %s\nmatch: {machines: ["*"]}\n%s\n' % (name, text))
    return world.luctl('policy', 'apply', path, errors=True)
