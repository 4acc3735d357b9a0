#!/usr/bin/env python3
"""What the history tells: who decided what, why, and what came of it; as a picture; and what differs between two.

Usage: history_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import signal
import sqlite3
import xml.etree.ElementTree

import harness

SVG = '{http://www.w3.org/2000/svg}'


def filled(world):
    """An update, a new layout, one that the machine rolls back."""
    world.prepare(2)
    world.luctl('update', 'ds', '--reason', 'fixes the leak')
    world.luctl('policy', 'apply', policy(world))
    world.luctl('rerandomize', 'ds', '--reason', 'weekly')
    world.peer.faults['roll_back'] = 1
    world.luctl('rerandomize', 'ds', code=5)


def policy(world):
    path = os.path.join(world.dir, 'p.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: p\nmatch: {machines: ["*"]}\n')
    return path


def test_log(world):
    """A line each: when, what, from which generation to which, what came of it, who and why."""
    filled(world)
    head, *lines = world.luctl('history').splitlines()
    assert head.split() == ['WHEN', 'SERVICE', 'WHAT', 'FROM', 'GEN', 'RELEASE', 'RESULT', 'BLACKOUT', 'KEPT', 'GADGETS',
                            'LAYOUT', 'KNOWN', 'JOB', 'WHO', 'WHY', 'CAUSE'], head
    assert len(lines) == 3, lines
    assert 'rolled back' in lines[0] and 'rerandomize' in lines[0], lines
    assert 'weekly' in lines[1] and 'running' in lines[1], lines
    assert 'fixes the leak' in lines[2] and 'update' in lines[2] and 'root (uid' in lines[2], lines
    assert lines[1].split()[5:7] == ['2', '3'] or ' 2   3 ' in lines[1], lines
    assert all(line.startswith('20') for line in lines), 'what did not run has a time, too'


def test_graph(world):
    """A picture of all of it that any reader of SVG takes: a dot for what ran, a cross for what did not, columns."""
    filled(world)
    path = os.path.join(world.dir, 'h.svg')
    world.luctl('history', '--graph', path)
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.tag == SVG + 'svg' and root.get('width') == '860' and root.get('viewBox') == '0 0 860 580'
    dots, crosses = root.findall(SVG + 'circle'), [p for p in root.findall(SVG + 'path') if p.get('class') == 'incident']
    assert len(dots) == 2 and len(crosses) == 1
    assert 'rolled back' in crosses[0].find(SVG + 'title').text
    texts = [t.text for t in root.findall(SVG + 'text')]
    assert '3 generations of all services' in texts and 'ds' in texts, texts
    assert any(t.startswith('blackouts of ') for t in texts), texts
    for mark in root.iter():
        for name in ('x', 'cx'):
            assert 0 <= float(mark.get(name, 0)) <= 860, mark.attrib
    told = world.json('history', 'ds', '--graph', path, '--limit', '1')
    assert told['graph'] == path and told['generations'] == 1, told
    assert 'cannot be written' in world.luctl('history', '--graph', world.dir + '/none/x.svg', code=74)


def test_job_graph(world):
    """A picture of one job: a bar for each step that it took, in their order, and what the machine did."""
    world.prepare(2)
    world.luctl('update', 'ds')
    path = os.path.join(world.dir, 'j.svg')
    world.luctl('job', 'show', '1', '--graph', path)
    root = xml.etree.ElementTree.parse(path).getroot()
    bars = [r for r in root.findall(SVG + 'rect') if r.get('class') == 'bar']
    steps = [s['name'] for s in world.json('job', 'show', '1')['steps']]
    named = [b.find(SVG + 'title').text.split(':')[0] for b in bars]
    assert named[:len(steps)] == steps and 'run' in steps, (named, steps)
    starts = [float(b.get('x')) for b in bars[:len(steps)]]
    assert starts == sorted(starts) and all(130 <= x <= 730 for x in starts), starts
    texts = [t.text for t in root.findall(SVG + 'text')]
    assert texts[0] == 'job 1: update ds on m, confirmed', texts
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {'svg', 'style', 'rect', 'text', 'path', 'title'}
    with open(path, encoding='ascii') as first:
        was = first.read()
    told = world.json('job', 'show', '1', '--wait', '--graph', path)
    assert told['graph'] == path and told['job'] == 1, told
    with open(path, encoding='ascii') as again:
        assert again.read() == was and 'prefers-color-scheme:dark' in was
    assert 'cannot be written' in world.luctl('job', 'show', '1', '--graph', world.dir + '/none/x.svg', code=74)


def test_lost(world):
    """What nothing in the record says any more, after a recovery, is told as unknown: it is not empty."""
    names = ('build_id', 'commitment', 'sealed')
    world.prepare()
    job = world.json('rerandomize', 'ds', '--layout', 'machine')['jobs'][0]['id']
    before = world.json('job', 'show', str(job))
    assert before['result']['commitment'] and not before['lost'], before
    world.luctl('rerandomize', 'ds')
    assert world.kill(signal.SIGTERM) == 0
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db, db:
        db.execute('DELETE FROM effects')
        assert db.execute('DELETE FROM generations WHERE job = ? AND state <> 1', (job,)).rowcount == 1
    world.start()
    told, text = world.json('job', 'show', str(job)), world.luctl('job', 'show', str(job))
    assert told['lost'] == [name for name in names if before['result'][name]], (before, told)
    for name in told['lost']:
        assert name + ' of the result: unknown (lost in recovery)' in text and not told['result'][name], (told, text)


def test_machine_show(world):
    """One machine by its name; another one is not found."""
    world.prepare()
    assert world.json('machine', 'show', 'm')['machine']['name'] == 'm'
    assert 'ds' in world.luctl('machine', 'show', 'm')
    world.luctl('machine', 'show', 'x', code=3)


def test_diff(world):
    """What differs, of two generations of a machine; what is the same is left out."""
    filled(world)
    told = world.luctl('diff', 'ds:2', 'ds:3')
    head, *lines = told.splitlines()
    rows = {line[:head.index('FROM')].strip(): line for line in lines}
    assert 'generation' in rows and 'layout id' in rows and 'seed' in rows, told
    assert 'fixes the leak' in rows['why'] and 'weekly' in rows['why'], told
    assert rows['policies'].split() == ['policies', '0', '1'], told
    assert 'machine' not in rows and 'service' not in rows and 'release' not in rows, told
    found = {d['what']: (d['from'], d['to']) for d in world.json('diff', 'ds:2', 'm/ds')['differences']}
    assert found['generation'] == ('2', '3') and found['policies'] == ('0', '1'), found
    assert world.luctl('diff', 'ds:2', 'ds:2') == 'they are the same\n'
    world.luctl('diff', 'ds:2', 'ds:99', code=3)
    world.luctl('diff', 'ds:2', 'x/ds:2', code=3)
    assert 'no number of a generation' in world.luctl('diff', 'ds:2', 'ds:two', code=2)


harness.main(globals(), 2)
