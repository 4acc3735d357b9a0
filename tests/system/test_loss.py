#!/usr/bin/env python3
"""No silent loss: what an update or a rollback would lose is listed before anything is made, refuses it, and is
consented to by a person's key for exactly these two releases; state that only moved is not lost.
"""
import sqlite3

import cases
import lab


def prefix(world, name):
    """The release id of a registered kit, as --release takes it."""
    return world.releases[name][:16]


def add(world, *names):
    world.releases = getattr(world, 'releases', {})
    for name in names:
        before = {r['release_id'] for r in world.luctl('release', 'list', check=True, as_json=True).json['releases']}
        world.add_release(name)
        after = world.luctl('release', 'list', check=True, as_json=True).json['releases']
        world.releases[name], = {r['release_id'] for r in after} - before


def no_errors(world, keys=None):
    figures = world.wait_load()
    assert figures['errors'] == 0, figures
    assert keys is None or figures['keys'] == keys, (keys, figures)


def is_untouched(world, name, before, used, n_generations):
    after = world.check_truth(name)
    for key in ('generation', 'build_id', 'base_address', 'restarts', 'endpoint'):
        assert after[key] == before[key], key
    assert world.resources_used() == used, 'something was staged'
    assert len(world.history(name)) == n_generations, 'something was drawn'


class World(lab.Lab):
    def resources_used(self):
        """Bytes of the machine's staging store that are in use."""
        with lab.wire.Client.connect(self.socket, lab.wire.CONTROL) as lud:
            return lud.call(resources={}).get('stage_used', 0)

    def refused(self, name, *command, lost=()):
        """luctl refuses, names what would be lost and what to do; nothing is drawn, forged or staged."""
        before, used, n = self.settled(name), self.resources_used(), len(self.history(name))
        answer = self.luctl(*command)
        assert answer.code == 4, (answer.code, answer.out, answer.err)
        for text in (*lost, 'in step pair', '(state-loss)', '--accept-loss', 'STATE_DROPPED'):
            assert text in answer.err, (text, answer.err)
        is_untouched(self, name, before, used, n)


def case_renamed(world, rng):
    """The table of keys has another name in another file: refused by name, and every key is there."""
    add(world, 'ds-renamed', 'ds-moved')
    keys = world.metrics()['keys']
    for more in ((), ('--prepare-only',)):
        world.refused('ds', 'update', 'ds', '--release', prefix(world, 'ds-renamed'), *more,
                      lost=('lost: variable store.c:store_buckets',))
    no_errors(world, keys)


def case_moved(world, rng):
    """The same table moved to another file under its own name: found, no consent asked, every key kept."""
    keys = world.metrics()['keys']
    answer = world.luctl('update', 'ds', '--release', prefix(world, 'ds-moved'), check=True)
    assert 'state moved store.c:store_buckets' in answer.out, answer.out
    job = world.history('ds')[0]['job']
    assert job['state'] == 'confirmed' and not job['consent'] and job['pairing']['n_moved'] == 4, job
    world.check_truth()
    no_errors(world, keys)


def rename(world, was, to):
    """Another id for a release in lud's record, as if it were another one."""
    world.lud_stop()
    db = sqlite3.connect(f'{world.dir}/state/lud.db')
    with db:
        assert db.execute('UPDATE releases SET release_id = ? WHERE release_id = ?', (to, was)).rowcount == 1
    db.close()
    world.lud_start()
    world.wait_up()


def case_unknown(world, rng):
    """Where the release that runs has no kit in lud's store, what would be lost is not guessed."""
    add(world, 'assist-2')
    before, used, n = world.settled('assist'), world.resources_used(), len(world.history('assist'))
    release = bytes.fromhex(before['release_id'])
    rename(world, release, bytes(64))
    answer = world.luctl('update', 'assist', '--accept-loss', '--keys', world.keys)
    assert answer.code == 4 and 'is not registered' in answer.err and 'release add' in answer.err, answer.err
    rename(world, bytes(64), release)
    is_untouched(world, 'assist', before, used, n)


def case_consent(world, rng):
    """assist goes to a release with more members; the way back loses them: refused, then done with a person's
    consent, listed, and kept in the history with who gave it."""
    world.luctl('update', 'assist', check=True)
    running = world.service('assist')['generation']
    lost = ('lost: member struct zoo_pair.is_new', 'lost: member struct zoo_node.age')
    world.refused('assist', 'rollback', 'assist', lost=(*lost, 'luctl rollback assist --accept-loss'))
    keyless = world.luctl('rollback', 'assist', '--accept-loss', '--keys', world.dir + '/no-keys')
    assert keyless.code == 7 and 'control key' in keyless.err, (keyless.code, keyless.err)
    answer = world.luctl('rollback', 'assist', '--accept-loss', '--keys', world.keys, check=True)
    for text in lost:
        assert text in answer.err, (text, answer.err)
    for text in ('state lost struct zoo_pair.is_new', 'state lost struct zoo_node.age', 'consent to loss, pairing'):
        assert text in answer.out, (text, answer.out)
    generation = world.history('assist')[0]
    assert generation['generation'] > running and generation['state'] == 'running', generation
    job = generation['job']
    assert job['kind'] == 'rollback' and job['consent'] == job['pairing']['id'] and job['consent_key'], job
    assert job['consent'][:12] in world.luctl('history', 'assist', check=True).out
    shown = world.luctl('show', 'assist', str(generation['generation']), check=True).out
    assert lost[0] in shown and job['identity'] in shown.split('consent')[-1].split('\n')[0], shown
    assert world.check_truth('assist')['restarts'] == 0
    no_errors(world)


CASES = [('a table renamed', case_renamed), ('a table moved', case_moved), ('a release that nobody knows', case_unknown),
         ('consent', case_consent)]

if __name__ == '__main__':
    cases.run(__doc__, CASES, world_type=World)
