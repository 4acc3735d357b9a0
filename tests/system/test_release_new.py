#!/usr/bin/env python3
"""Releases as an operator makes them: from a source tree to a numbered, signed, registered kit, and with `luctl dev` to
the service that runs it. Source tree and build are of DS alone, and real (tree.py); so are lud and the machine.
"""
import glob
import json
import os
import re
import shutil

import cases
import lab
import luctl_json
import tree


class World(lab.Lab):
    def start(self, env=None):
        super().start(env)
        self.tree = tree.Tree(self.build, os.path.join(self.dir, 'tree'))

    def new(self, *more, as_json=True, keys=None, name='ds'):
        """luctl release new ds"""
        return self.luctl('release', 'new', name, '--build', self.tree.build, '--keys', keys or self.keys, *more,
                          as_json=as_json)

    def made(self, *more, **how):
        answer = self.new(*more, **how)
        assert answer.code == 0, answer.err
        self.checked(answer)
        return json.loads(answer.out)

    def checked(self, answer):
        """What --json printed is what `luctl schema` says."""
        luctl_json.Schema(os.path.join(self.build, 'ctl/luctl')).check(json.loads(answer.out), answer.code)

    def dev(self, *more, code=0):
        answer = self.luctl('dev', 'ds', '--build', self.tree.build, '--keys', self.keys, *more)
        assert answer.code == code, (answer.code, answer.out, answer.err)
        return answer

    def listed(self, service='ds'):
        return {r['counter']: r for r in self.luctl('release', 'list', service, check=True, as_json=True).json['releases']}

    def logged(self, text):
        return text in self.luctl('log', '--limit', '500', check=True).out


def refused(answer, *words):
    """It failed, and says these; of its output there is no more than the error, for programs."""
    out = json.loads(answer.out or '{}')
    assert answer.code and (not answer.out or set(out) == {'schema', 'command', 'error'}), (answer.code, answer.out)
    for word in words:
        assert word in answer.err, (word, answer.err)


def case_new(world, rng):
    """A clean tree becomes release 2: numbered, signed, registered, with its commit and notes."""
    made = world.made('--notes', 'says a line')
    assert (made['counter'], made['signed'], made['registered'], made['previous']) == (2, True, True, 1), made
    assert re.fullmatch(r'commit [0-9a-f]{12}', made['source']) and made['changed_files'] == 0, made
    assert made['added'] == made['removed'] == [] and made['pairing']['forward']['possible'], made
    row = world.listed()[2]
    assert row['source'] == made['source'] and row['release_id'] == made['release_id'], row
    assert row['source_id'] != world.listed()[1]['source_id'], row
    shown = world.luctl('release', 'show', 'ds', '2', check=True).out
    for word in (made['source'], 'says a line', 'notes       says a line\n', 'runs on     no machine', 'target', 'heap'):
        assert word in shown, (word, shown)
    assert 'runs on     m1' in world.luctl('release', 'show', 'ds', '1', check=True).out
    diff = world.luctl('release', 'diff', 'ds', check=True).out
    assert 'release 1' in diff and 'which m1 runs' in diff and 'loses nothing' in diff, diff
    assert 'no change of what it may do' in diff and 'says a line' in diff, diff
    back = world.luctl('release', 'diff', 'ds', '2', '1', check=True, as_json=True).json
    assert back['forward']['n_lost'] and not back.get('machine'), back
    told = world.new(as_json=False)
    assert 'release 3' in told.out and 'registered' in told.out and 'since release 1, which m1 runs' in told.out, told.out
    assert not told.err, told.err


def case_by_number(world, rng):
    """A number names a release wherever one is named; one that is not there means no other."""
    assert world.luctl('plan', 'update', 'ds', '--release', '2', check=True, as_json=True).json['parts'][0]['to_counter'] == 2
    world.luctl('update', 'ds', '--release', '2', check=True)
    assert world.service('ds')['release_id'] == world.listed()[2]['release_id']
    for command in (['update', 'ds', '--release', '77'], ['release', 'show', 'ds', '77'], ['release', 'block', 'ds', '77']):
        refused(world.luctl(*command), 'no release 77 of this service')
    # Another kit of a number that was given: the number says no longer which.
    world.add_release('ds-2')
    refused(world.luctl('release', 'show', 'ds', '2'), 'several releases are called 2')
    refused(world.luctl('update', 'ds', '--release', '2'), 'several releases are called 2')


def case_dirty(world, rng):
    """What is not committed is said: in the answer, in the list, and in the source id."""
    world.tree.edit(1)
    made = world.made()
    assert made['source'].endswith(', 1 file changed') and made['changed_files'] == 1, made
    assert world.listed()[made['counter']]['source'] == made['source']
    with open(os.path.join(made['kit'], 'source'), encoding='utf-8') as f:
        assert re.search(r'^changed [0-9a-f]{128} ' + re.escape(tree.MAIN) + '$', f.read(), re.M)
    assert 'not committed: ' + tree.MAIN in world.new(as_json=False).err
    # Other bytes are another source; the same bytes are the same.
    ids = [world.listed()[n]['source_id'] for n in sorted(world.listed())[-2:]]
    assert ids[0] == ids[1]
    world.tree.edit(2)
    made = world.made()
    assert world.listed()[made['counter']]['source_id'] != ids[0]
    world.tree.commit('line 2')
    assert world.made()['changed_files'] == 0


def case_numbers(world, rng):
    """A number is given once, whatever becomes of the kit; one that was used is refused."""
    last = world.made()['counter']
    shutil.rmtree(os.path.join(world.tree.build, 'releases'))
    assert world.made()['counter'] == last + 1
    for used in (last + 1, last, 1):
        refused(world.new('--number', str(used)), 'number %d cannot be given' % used, 'leave --number out')
    refused(world.new('--number', '9999999'), 'number 9999999 cannot be given', 'leave --number out')
    assert world.made('--number', str(last + 10))['counter'] == last + 10
    # A kit that lud never saw counts, too, if only by its name; without lud kits are all that is known.
    os.mkdir(os.path.join(world.tree.build, 'releases', 'ds-%d.kit' % (last + 20)))
    assert world.made()['counter'] == last + 21
    made = world.made('--offline')
    assert made['counter'] == last + 22 and not made['registered'] and made['counter'] not in world.listed(), made
    refused(world.new('--offline', '--number', str(last + 22)), 'was used')
    assert world.made()['counter'] == last + 23


def case_build_fails(world, rng):
    """The compiler's lines are shown, and no number is used."""
    before = world.made()['counter']
    world.tree.write(tree.MAIN, 'int main(void)\n{\n\treturn nothing_like_it;\n}\n')
    refused(world.new(), 'main.c:3', 'nothing_like_it', 'the build failed', 'no number was used')
    world.tree.edit(2)
    refused(world.new(name='nosuch'), 'nosuch.kit', 'the build failed')
    refused(world.new(name='../ds'), 'not the name of a service')
    refused(world.luctl('release', 'new', 'ds', '--build', world.dir), 'not a build directory', '--build')
    assert world.made()['counter'] == before + 1


def case_no_git(world, rng):
    """Where git does not know the tree, somebody has to say what it is."""
    git = os.path.join(world.tree.source, '.git')
    os.rename(git, git + '.away')
    try:
        refused(world.new(), 'git does not say', 'not a git repository', '--source')
        assert world.made('--source', 'samsara-1.tar.xz, 4711')['source'] == 'samsara-1.tar.xz, 4711'
    finally:
        os.rename(git + '.away', git)


def case_no_key(world, rng):
    """Without a release key the kit stays unsigned; the commands that are printed make it a registered release."""
    away = os.path.join(world.dir, 'online')
    shutil.copytree(world.keys, away)
    os.unlink(os.path.join(away, 'release.pem'))
    told = world.new(keys=away, as_json=False)
    assert told.code == 0 and 'not signed' in told.out, (told.out, told.err)
    assert 'registered' not in told.out and max(world.tree.kits()) not in world.listed()
    sign, add = (line.split()[1:] for line in told.out.splitlines() if line.startswith('    luctl release'))
    signed = world.luctl(*[world.keys if word == 'DIR' else word for word in sign], offline=True, check=True)
    assert 'since release' in signed.out, signed.out
    world.luctl(*add, check=True)
    assert max(world.tree.kits()) in world.listed()
    refused(world.luctl('dev', 'ds', '--build', world.tree.build, '--keys', away), 'release key', 'luctl keys init')


def case_rights(world, rng):
    """A release that may do more is not signed with the key that lies about, unless somebody says so."""
    text = world.tree.original(tree.DESCRIPTION)
    world.tree.write(tree.DESCRIPTION, text.replace('heap_limit 4M', 'heap_limit 8M'))
    kits, known = world.tree.kits(), set(world.listed())
    refused(world.new(), '+ heap 8388608', 'not signed', '--accept-rights')
    refused(world.luctl('dev', 'ds', '--build', world.tree.build, '--keys', world.keys), '+ heap 8388608', 'not signed')
    assert world.tree.kits() == kits and set(world.listed()) == known
    made = world.made('--accept-rights')
    assert made['added'] == ['heap 8388608'] and made['removed'] == ['heap 4194304'] and made['signed'], made
    assert '+ heap 8388608' in world.luctl('release', 'diff', 'ds', check=True).out
    world.tree.write(tree.DESCRIPTION, text)
    world.luctl('release', 'block', 'ds', str(made['counter']), check=True)


def case_other_key(world, rng):
    """What the release before may do counts only as signed under this keyring's root."""
    other = os.path.join(world.dir, 'renewed')
    shutil.copytree(world.keys, other)
    world.luctl('keys', 'renew', '--replace', 'release', '--keys', other, offline=True, check=True)
    kits = world.tree.kits()
    refused(world.new(keys=other), 'cannot be compared with release', '--accept-rights')
    assert world.tree.kits() == kits


def case_meanwhile(world, rng):
    """A source that changes while it is built is the source of no release."""
    before, path = world.made()['counter'], os.path.join(world.tree.build, 'build.ninja')
    with open(path, encoding='utf-8') as f:
        build = f.read()
    with open(path, 'w', encoding='utf-8') as f:
        f.write(build.replace('rule make\n  command = ', 'rule make\n  command = date +%%N >> %s/more && ' % world.tree.source))
    world.tree.edit(3)
    refused(world.new(), 'the source changed while it was built', 'no number was used')
    world.tree.edit(2)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(build)
    os.remove(os.path.join(world.tree.source, 'more'))
    assert world.made()['counter'] == before + 1


def case_other_format(world, rng):
    """A kit that a luforge of another version made is told as that."""
    world.made()
    path = os.path.join(world.tree.build, tree.KIT, 'manifest')
    with open(path, 'r+b') as f:
        whole = f.read()
        f.seek(0)
        f.write(b'SAMKIT2')
    refused(world.new(), 'another format (SAMKIT2', 'make the kit again')
    with open(path, 'r+b') as f:
        f.write(whole)


def case_block(world, rng):
    """A release is blocked with a reason, which the list, the refusal and `show` have; and cleared."""
    newest = world.made()['counter']
    world.luctl('release', 'block', 'ds', str(newest), '--reason', 'leaks keys', check=True)
    assert 'leaks keys' in world.listed()[newest]['blocked_why']
    assert 'leaks keys' in world.luctl('release', 'show', 'ds', str(newest), check=True).out
    refused(world.luctl('update', 'ds'), 'is blocked', 'leaks keys', 'luctl release clear')
    refused(world.luctl('release', 'block', 'ds', str(newest)), 'blocked already', 'leaks keys')
    world.luctl('release', 'clear', 'ds', str(newest), check=True)
    assert not world.listed()[newest]['blocked']
    refused(world.luctl('release', 'clear', 'ds', str(newest)), 'is not blocked')
    world.luctl('update', 'ds', check=True)
    assert world.service('ds')['release_id'] == world.listed()[newest]['release_id']


def case_rolled_back(world, rng):
    """A release that the machine undid is listed as blocked, with what the machine said."""
    world.add_release('assist-fail')
    assert world.luctl('update', 'assist').code
    row, = [r for r in world.listed('assist').values() if r['blocked']]
    assert 'rolled it back' in row['blocked_why'] and row['blocked_job'], row
    assert 'rolled it back' in world.luctl('release', 'list', 'assist', check=True).out


def case_dev(world, rng):
    """One command from the edited line to the service that runs it, with its state; the load goes on."""
    for n in (7, 8):
        world.tree.edit(n)
        before = world.service('ds')
        told = world.dev('--reason', 'try line %d' % n, *['--json'] * (n == 8))
        now = world.service('ds')
        assert now['generation'] == before['generation'] + 1 and now['release_id'] != before['release_id'], (before, now)
        assert '1 file changed' in world.listed()[max(world.listed())]['source']
        if n == 8:
            world.checked(told)
            assert told.json['state'] == 'confirmed', told.out
        else:
            assert 'release %d' % max(world.listed()) in told.out, told.out
        lab.until('the line', lab.DEADLINE, lambda n=n: world.logged('this is line %d' % n))
    assert world.wait_load()['errors'] == 0
    assert any(j['reason'] == 'try line 8' for j in world.luctl('jobs', check=True, as_json=True).json['jobs'])


def case_dev_old(world, rng):
    """Of the releases of `dev` the newest stay, and those that something needs; the others' kits are removed, here and there."""
    place = os.path.join(world.tree.build, 'releases')
    for kit in glob.glob(os.path.join(place, 'ds-*.kit')):
        if '.dev.' not in kit and os.path.exists(os.path.join(kit, 'manifest')):
            os.rename(kit, kit.replace('.kit', '.dev.kit'))
    def tried():
        return sorted(int(re.search(r'-([0-9]+)\.dev\.kit$', path).group(1)) for path in glob.glob(os.path.join(place, 'ds-*.dev.kit')))
    before, back = tried(), world.listed()
    runs = next(n for n, row in back.items() if row['release_id'] == world.service('ds')['release_id'])
    assert len(before) > 12 and runs in before, (before, runs)
    world.tree.edit(9)
    world.dev()
    newest, listed = max(world.listed()), world.listed()
    kept = set((before + [newest])[-8:]) | {runs}
    assert set(tried()) == kept, (tried(), kept)
    for n in before:
        assert n not in back or bool(listed[n]['path']) == (n in kept), (n, listed[n])
        assert not listed[n]['path'] or os.path.isdir(listed[n]['path']) if n in listed else True, n
    world.luctl('rollback', 'ds', check=True)  # the release before is one that stayed
    assert world.service('ds')['release_id'] == back[runs]['release_id']
    world.tree.edit(10)
    world.dev()


def case_dev_same(world, rng):
    """What runs already is left alone."""
    before, kits = world.service('ds'), world.tree.kits()
    assert 'the source makes the same program' in world.dev().out
    same = world.dev('--json')
    world.checked(same)
    assert same.json['unchanged']
    world.tree.commit('lines')
    assert 'same program' in world.dev().out
    assert world.service('ds')['generation'] == before['generation'] and world.tree.kits() == kits


def case_lost_record(world, rng):
    """With another record lud takes the numbers from the kits in its store, and luctl from those it made."""
    newest = world.made()['counter']
    world.lud_stop()
    for path in glob.glob(os.path.join(world.dir, 'state', 'lud.db*')):
        os.remove(path)
    world.lud_start()
    shutil.rmtree(os.path.join(world.tree.build, 'releases'))
    made = world.made()
    assert made['counter'] == newest + 1 and made['previous'] is None, made


CASES = [
    ('a release is made of the tree', case_new),
    ('releases are named by number', case_by_number),
    ('what is not committed is said', case_dirty),
    ('numbers are given once', case_numbers),
    ('a build that fails', case_build_fails),
    ('a tree without git', case_no_git),
    ('a keyring without a release key', case_no_key),
    ('a release that may do more', case_rights),
    ('a release before under another root', case_other_key),
    ('a source that changes meanwhile', case_meanwhile),
    ('a kit of another format', case_other_format),
    ('a release is blocked and cleared', case_block),
    ('a release that was rolled back', case_rolled_back),
    ('from an edited line to the service', case_dev),
    ('what was tried goes', case_dev_old),
    ('nothing to do', case_dev_same),
    ('a lost record', case_lost_record),
]

cases.run(__doc__, CASES, world_type=World)
