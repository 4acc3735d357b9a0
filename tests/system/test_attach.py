#!/usr/bin/env python3
"""A second lud, with a record of its own, attaches to a machine that runs already: it learns from the machine what
runs, goes on with rising generations, and leaves the machine running when it ends."""
import os

import cases
import lab


class SecondLab(lab.Lab):
    """A lab that shares keys and kits with another one, whose machine it takes over."""

    def __init__(self, first):
        super().__init__(first.build, keep=os.path.join(first.dir, 'second'))
        self.keys, self.kits = first.keys, first.kits
        with open(first.config) as f:
            text = f.read()
        with open(self.config, 'w') as f:
            f.write(text.replace(first.dir + '/state', self.dir + '/state'))


def check_detach(second, *how):
    """A stop only detaches it: every form says so, and what status names attaches it again."""
    stopped = second.luctl('machine', 'stop', *how, check=True)
    assert 'detached' in stopped.out and 'may still run' in stopped.out, stopped.out
    status = second.luctl('status', check=True)
    assert 'machine other is detached: it may still run' in status.out, status.out
    assert '`luctl machine start other`' in status.out, status.out
    second.luctl('machine', 'start', 'other', check=True)
    second.wait_up()


def case_attach(world, rng):
    """The machine is taken over by its socket, and its services move on."""
    world.luctl('rerandomize', 'ds', check=True)
    socket = world.luctl('machine', 'list', as_json=True, check=True).json['machines'][0]['socket']
    world.lud_kill()
    with SecondLab(world) as second:
        second.lud_start()
        second.luctl('release', 'add', *[second.kit(n) for n in second.services.split()], check=True)
        second.luctl('machine', 'start', 'other', '--attach', socket, check=True)
        second.wait_up()
        assert second.service('ds')['generation'] == 2
        for generation in (3, 4):
            second.luctl('rerandomize', 'ds', 'agent', check=True)
            assert second.service('ds')['generation'] == generation
        assert second.wait_load()['errors'] == 0
        for how in ((), ('--force',), ('--keys', second.keys)):
            check_detach(second, *how)
        second.lud.terminate()
        assert second.lud.wait(lab.DEADLINE) == 0


def case_return(world, rng):
    """The first lud comes back to a machine that moved on without it, and believes the machine."""
    world.lud_start()
    world.wait_up()
    assert world.service('ds')['generation'] == 4
    world.luctl('rerandomize', 'ds', check=True)
    assert world.service('ds')['generation'] == 5
    assert world.wait_load()['errors'] == 0


CASES = [('attach to a running machine', case_attach), ('the first lud returns', case_return)]

if __name__ == '__main__':
    cases.run(__doc__, CASES)
