"""A source tree and a build directory of its own for DS, small enough for a test: a git checkout with the files that are
edited, and a build that compiles them and makes the kit by the very commands of the real one. Everything else of DS is
taken from there. It stands where a person has the whole tree.
"""
import json
import os
import shlex
import subprocess

import lab

MAIN, DESCRIPTION = 'osd/servers/ds/main.c', 'osd/servers/ds/ds.service'
KIT = 'osd/ds.kit'
LOOP = '\tfor (;;) {\n'
# What is edited: DS says the number once, when it has changed. State like any other.
LINE = ('\tfor (;;) {\n\t\tstatic int said;\n\n\t\tif (said != %(n)d) {\n\t\t\tsaid = %(n)d;\n'
        '\t\t\tsef_log("this is line %%d", said);\n\t\t}\n')


class Tree:
    def __init__(self, build, place):
        self.real, self.place = build, place
        self.source, self.build = os.path.join(place, 'source'), os.path.join(place, 'build')
        for name in (MAIN, DESCRIPTION):
            os.makedirs(os.path.dirname(os.path.join(self.source, name)), exist_ok=True)
            self.write(name, self.original(name))
        self.edit(0)
        self.configure()
        self.git('init', '-q')
        self.commit('all')

    @staticmethod
    def original(name):
        with open(os.path.join(lab.ROOT, name), encoding='utf-8') as f:
            return f.read()

    def write(self, name, text):
        with open(os.path.join(self.source, name), 'w', encoding='utf-8') as f:
            f.write(text)

    def edit(self, n):
        """The line with another number."""
        text = self.original(MAIN)
        assert text.count(LOOP) == 1, MAIN + ' has changed: choose another line to edit'
        self.write(MAIN, text.replace(LOOP, LINE % {'n': n}))

    def git(self, *args):
        subprocess.run(['git', '-c', 'user.name=t', '-c', 'user.email=t@localhost', *args], cwd=self.source, check=True,
                       stdout=subprocess.DEVNULL)

    def commit(self, subject):
        self.git('add', '-A')
        self.git('commit', '-q', '-m', subject)

    def command(self, target):
        """The last command that ninja would run for a target of the real build."""
        run = subprocess.run(['ninja', '-C', self.real, '-t', 'commands', '-s', target], check=True, capture_output=True,
                             text=True)
        return shlex.split(run.stdout.splitlines()[-1])

    def changed(self, command, words):
        missing = set(words) - set(command)
        assert not missing, 'not in the command that ninja runs: ' + ', '.join(sorted(missing))
        # ccache would answer for a line that was compiled before.
        return ['cd', self.real, '&&', 'CCACHE_DISABLE=1', *[shlex.quote(words.get(w, w)) for w in command]]

    def configure(self):
        """build.ninja with two rules, and what luctl reads of meson."""
        for name in ('osd', 'meson-info'):
            os.makedirs(os.path.join(self.build, name), exist_ok=True)
        os.symlink(os.path.join(self.real, 'forge'), os.path.join(self.build, 'forge'))
        with open(os.path.join(self.build, 'meson-info', 'meson-info.json'), 'w', encoding='utf-8') as f:
            json.dump({'directories': {'source': self.source, 'build': self.build}}, f)
        source, made = os.path.join(self.source, MAIN), os.path.join(self.build, 'main.o')
        description, kit = os.path.join(self.source, DESCRIPTION), os.path.join(self.build, KIT)
        make = self.command(KIT)
        built = next(w for w in make if w.endswith('_ds_main.c.o'))
        compile_ = self.command(built)
        objects = make[make.index('--objects') + 1]
        make = self.changed(make, {built: made, KIT: kit, objects: os.path.join(self.build, 'ds.objects'),
                                   os.path.relpath(os.path.join(lab.ROOT, DESCRIPTION), self.real): description})
        compile_ = self.changed(compile_, {built: made, built + '.d': made + '.d',
                                           os.path.relpath(os.path.join(lab.ROOT, MAIN), self.real): source})
        compile_.append('-ffile-prefix-map=%s=.' % self.source)
        with open(os.path.join(self.build, 'build.ninja'), 'w', encoding='utf-8') as f:
            f.write('rule compile\n  command = %s\nrule make\n  command = %s\n' % (' '.join(compile_), ' '.join(make)))
            f.write('build %s: compile %s\nbuild %s: make main.o | %s\n' % ('main.o', source, KIT, description))

    def ninja(self, target):
        subprocess.run(['ninja', '-C', self.build, '--quiet', target], check=True, stdout=subprocess.DEVNULL)

    def kits(self, service='ds'):
        """Numbers of the kits that are there."""
        place = os.path.join(self.build, 'releases')
        return sorted(int(n[len(service) + 1:].split('.')[0]) for n in os.listdir(place) if n.startswith(service + '-'))
