#!/usr/bin/env python3
"""`luctl completion`: command lines are completed in real shells, with names that lud has.

Usage: completion_test.py BUILD [NAME...]
"""

import os
import re
import select
import shutil
import subprocess
import sys
import time

import harness

TOP = os.path.dirname(os.path.dirname(harness.HERE))
# Words as they are typed, what must be offered, and what must not.
LINES = [
    (['upd'], {'update'}, {'status'}),
    (['machine', ''], {'list', 'start', 'group'}, {'machine', 'update'}),
    (['job', 's'], {'show'}, {'cancel', 'status'}),
    (['update', ''], {'ds', 'rs'}, {'m', 'update'}),
    (['update', 'd'], {'ds'}, {'rs', '--release'}),
    (['update', 'ds', '--re'], {'--release', '--recipe', '--reason'}, {'--replace', '--wait'}),
    (['update', 'ds', '--release', ''], {'1', '2'}, {'ds', '3'}),
    (['update', '--machine', ''], {'m'}, {'ds'}),
    (['rerandomize', 'ds', 'r'], {'rs'}, {'ds'}),
    (['update', 'ds', '--layout', ''], {'machine', 'host'}, {'ds'}),
    (['status', '-m', ''], {'m'}, {'ds'}),
    (['machine', 'stop', ''], {'m'}, {'ds'}),
    (['job', 'show', ''], {'1'}, {'2'}),
    (['release', 'diff', 'ds', '1', ''], {'1', '2'}, {'ds'}),
    (['status', '--color', 'n'], {'never'}, {'always'}),
    (['completion', ''], {'bash', 'zsh', 'fish'}, {'ds'}),
]


def environment(world):
    path = os.path.dirname(world.program('ctl/luctl')) + ':' + os.environ['PATH']
    return {**os.environ, 'PATH': path, 'SAMSARA_SOCKET': world.socket, 'TERM': 'dumb', 'HOME': world.dir}


def shell(world, *command):
    done = subprocess.run(command, env=environment(world), check=False, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, (command, done.stderr)
    return set(done.stdout.split())


def ready(world):
    world.prepare(2)
    world.luctl('update', 'ds', '--release', '1')
    world.json('status')


def check(world, ask):
    for words, offered, absent in LINES:
        found = ask(words)
        assert offered <= found and not absent & found, (words, found)


def bash(world, words):
    quoted = ' '.join("'%s'" % word for word in ['luctl', *words])
    return shell(world, 'bash', '--norc', '-c', 'eval "$(luctl completion bash)"; complete -p luctl >/dev/null || exit 1; '
                 'COMP_WORDS=(%s); COMP_CWORD=%d; _luctl; printf "%%s\\n" "${COMPREPLY[@]}"' % (quoted, len(words)))


def test_bash(world):
    """In bash; nothing is said, and nothing hangs, where lud is not there."""
    ready(world)
    check(world, lambda words: bash(world, words))
    world.kill()
    began = time.monotonic()
    assert not bash(world, ['update', '']) and bash(world, ['upd']) == {'update'} and time.monotonic() - began < 20
    assert not bash(world, ['release', 'sign', ''])  # files are bash's


def test_fish(world):
    """In fish, where it is installed."""
    if not shutil.which('fish'):
        print('# fish is not installed: its script is not run')
        return
    ready(world)

    def ask(words):
        return shell(world, 'fish', '--no-config', '-c',
                     'luctl completion fish | source; complete -C "%s"' % ' '.join(['luctl', *words]))
    check(world, ask)


def test_zsh(world):
    """In zsh, where it is installed: at its own prompt, with the key pressed."""
    if not shutil.which('zsh'):
        print('# zsh is not installed: its script is not run')
        return
    ready(world)
    for words, said in ((['update', '--mach'], 'luctl update --machine'), (['machine', 'sta'], 'luctl machine start'),
                        (['update', 'd'], 'luctl update ds')):
        prompt = subprocess.Popen([sys.executable, '-c', 'import pty; pty.spawn(["zsh", "-f", "-i"])'], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(world))
        shown = type_in(prompt, b'autoload -U compinit; compinit -u -D; eval "$(luctl completion zsh)"; print REA""DY\n', 'READY')
        shown = type_in(prompt, ' '.join(['luctl', *words]).encode() + b'\t', said)
        assert said in shown, (words, shown)
        prompt.stdin.close()
        prompt.kill()
        prompt.wait()


def type_in(prompt, keys, awaited):
    """Types at a prompt, and what is shown until the awaited words are; escape sequences left out."""
    prompt.stdin.write(keys)
    prompt.stdin.flush()
    shown, deadline = '', time.monotonic() + 20
    while awaited not in re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]|.\x08', '', shown):
        if not select.select([prompt.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
            break
        part = os.read(prompt.stdout.fileno(), 4096)
        if not part:
            break
        shown += part.decode(errors='replace')
    return re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]|.\x08', '', shown)


def test_all_commands(world):
    """Every command of the table is offered, with exactly its options."""
    with open(os.path.join(TOP, 'ctl/cmdline/commands.def'), encoding='utf-8') as f:
        rows = re.findall(r'^VERB\("([a-z ]+)", \w+, \d+, \d+, "[^"]*",\s*"([^"]*)"', f.read(), re.M)

    def ask(*words):
        return set(world.luctl('__complete', *words).split())
    assert len(rows) > 40
    for name, takes in rows:
        words = name.split()
        assert words[-1] in ask(*words[:-1], words[-1][:2]), name
        assert ask(*words, '--') == {'--' + o for o in [*takes.split(), 'help', 'json', 'color']}, name
    assert 'luctl completion bash' in world.luctl('completion', 'bash')
    assert 'bash, zsh or fish' in world.luctl('completion', 'tcsh', code=2)


harness.main(globals(), 3)
