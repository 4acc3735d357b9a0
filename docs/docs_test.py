#!/usr/bin/env python3
"""Do the documents still say what is there? Rows name tests that exist, links lead somewhere, and the manual pages
name every command, option and configuration key of the programs.

usage: docs_test.py LUCTL LUD LUFORGE
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROWS = {'M': 34, 'S': 9, 'X': 11, 'U': 8, 'C': 8, 'B': 15}
STATES = ('works', 'partly', 'not yet')
sys.path.insert(0, os.path.join(TOP, 'proto/words'))
import words  # noqa: E402

PROGRAMS = dict(zip(('luctl', 'lud', 'luforge'), sys.argv[1:]))


def slurp(path):
    with open(os.path.join(TOP, path), encoding='utf-8') as f:
        return f.read()


def output(program, *args):
    return subprocess.run([PROGRAMS[program], *args], capture_output=True, text=True, check=True).stdout


def page(name):
    """A manual page's source as plain text: scdoc escapes some characters."""
    return slurp('docs/man/' + name).replace('\\', '')


def check_test_exists(row, reference):
    path, _, case = reference.partition(':')
    assert os.path.exists(os.path.join(TOP, path)), f'{row}: there is no {path}'
    assert not case or case in slurp(path), f'{row}: {path} has no `{case}`'


def test_rows():
    """Every row is there once; what works, or partly, names a test."""
    seen = []
    for line in slurp('docs/rows.md').split('\n'):
        m = re.match(r'\| ([A-Z]\d+) \|', line)
        if not m:
            continue
        cells = [c.strip() for c in line.strip('|').split('|')]
        row, state, proof = cells[0], cells[2], cells[3]
        references = re.findall(r'`([\w./-]+/[\w.-]+(?::[^`]+)?)`', proof)
        seen.append(row)
        assert len(cells) == 4 and state in STATES, f'{row}: {line}'
        assert references or state == 'not yet', f'{row} names no test'
        for reference in references:
            check_test_exists(row, reference)
    assert seen == [f'{letter}{n}' for letter, count in ROWS.items() for n in range(1, count + 1)], seen


def documents():
    for directory, _, names in os.walk(os.path.join(TOP, 'docs')):
        yield from (os.path.relpath(os.path.join(directory, n), TOP) for n in names if n.endswith('.md'))
    yield from ('README.md', 'CHANGELOG.md')


def test_links():
    for path in documents():
        for target in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', slurp(path)):
            there = os.path.normpath(os.path.join(TOP, os.path.dirname(path), target))
            assert os.path.exists(there), f'{path}: {target} leads nowhere'


def test_luctl():
    """The manual page has every command with exactly its options, every option; so has --help."""
    text, table = page('luctl.1.scd'), slurp('ctl/cmdline/commands.def')
    row = r'^VERB\("([a-z ]+)", \w+, \d+, \d+, "[^"]*",\s*"([^"]*)"'
    commands = {name: takes.split() for name, takes in re.findall(row, table, re.M)}
    options = dict(re.findall(r'^OPTION\("([a-z-]+)", [^,]+, \w+, \w+, (\w+),', table, re.M))
    usage = output('luctl', '--help')
    assert len(commands) == len(re.findall(r'^VERB\(', table, re.M)) > 20 and len(options) > 15
    for name, takes in commands.items():
        assert re.search(rf'^  {name} ', usage, re.M), f'`luctl --help` has no command {name}'
        heading = re.search(rf'^\*{name}\*.*$', text, re.M)
        assert heading, f'luctl(1) has no command {name}'
        told = set(re.findall(r'\*--([a-z-]+)\*', heading.group()))
        own = {option for option in takes if options[option] == 'OWN'}
        assert told == own, f'luctl(1), {name}: {told ^ own}'
    for option in options:
        assert re.search(rf'^\*--{option}\*', text, re.M), f'luctl(1) has no option --{option}'
    for option in set(re.findall(r'--([a-z-]+)', text)):
        assert option in options, f'luctl has no option --{option}'


def told_to():
    """What documents and programs tell people to type: (where, words behind `luctl`)."""
    sources = [os.path.relpath(os.path.join(d, n), TOP) for room in ('ctl', 'orchestrator', 'keyring', 'host', 'docs/guide', 'docs/protocol')
               for d, _, names in os.walk(os.path.join(TOP, room)) for n in names if n.endswith(('.c', '.h', '.def', '.md'))]
    for path in sources + ['README.md', 'CHANGELOG.md']:
        text = re.sub(r'"\s*\n\s*"|\n \* ', ' ', slurp(path))  # a string in pieces, or a comment
        for words in re.findall(r'`luctl ([^`"]+)`', text) + re.findall(r'^ {4,}(?:[$#] )?luctl (.*)$', text, re.M):
            words = re.split(r' [#|&;>]', ' '.join(words.split()))[0].split(' -- ')[0].split(' ')
            if re.fullmatch(r'[a-z|]+', words[0]):
                yield path, words


def test_told():
    """Each command that is named somewhere is one, with options that it takes."""
    table = slurp('ctl/cmdline/commands.def')
    takes = {name: set(options.split()) for name, options in
             re.findall(r'^VERB\("([a-z ]+)", \w+, \d+, \d+, "[^"]*",\s*"([^"]*)"', table, re.M)}
    groups = {name.split(' ')[0] for name in takes if ' ' in name}
    n = 0
    for path, words in told_to():
        told = ' '.join(words)
        two = ' '.join(words[:2]).split('|')[0]
        name = next((name for name in (two, words[0]) if name in takes), '')
        assert name or words in [[group] for group in groups], f'{path}: there is no `luctl {told}`'
        unknown = set(re.findall(r'--([a-z-]+)', told)) - takes.get(name, set()) - {'json', 'color', 'help'}
        assert not unknown, f'{path}: `luctl {told}` does not take {unknown}'
        n += 1
    assert n > 300, n


def test_exits():
    """luctl(1) has every exit code with its sentence, in order, and `luctl --help` its word; lud has each cause by name."""
    table = os.path.join(TOP, 'proto/words/exits.def')
    exits = words.rows(table, 'EXIT')
    status = page('luctl.1.scd').split('# EXIT STATUS\n')[1].split('# ENVIRONMENT')[0].replace('\n\t', ' ')
    told = re.findall(r'^\*(\d+)\* (.*)$', status, re.M)
    plain = [(code, sentence.replace('*', '').replace('luctl status shows', 'status shows')) for code, sentence in told]
    assert plain == [(code, sentence) for _, code, _, sentence in exits], plain
    usage = ' '.join(output('luctl', '--help').split())
    for _, code, word, _ in exits:
        assert f'{code} {word}' in usage, f'`luctl --help` has no exit code {code}'
    sources = ''.join(slurp(os.path.relpath(os.path.join(d, n), TOP)) for d, _, names in
                      os.walk(os.path.join(TOP, 'orchestrator')) for n in names if n.endswith('.c'))
    names = {name for name, _ in words.rows(table, 'EXIT_OF_CAUSE')}
    errors = words.errors(os.path.join(TOP, 'proto/words/errors.def'))
    for name in names - set(errors):
        assert f'"{name}"' in sources, f'exits.def: lud has no cause {name}'


def told_ends(kind, codes, what, ends):
    """The line of luctl(1) about a kind of command."""
    codes = codes.split()
    codes = ', '.join(codes[:-1]) + ' or ' + codes[-1]
    if kind == 'ASKS':
        return f'- All others, which {what.replace("lud", "*lud*")}, with {codes}.'
    commands = ', '.join(f'*{command}*' for command, of in ends.items() if of == kind)
    return f'- Those that {what}, with {codes}: {commands}.'


def test_ends():
    """luctl(1) and the help of each command have the exit codes of ends.def, which has every command but inhibit."""
    table = slurp('ctl/cmdline/ends.def')
    ends = dict(re.findall(r'^ENDS\("([a-z ]+)", (\w+)\)', table, re.M))
    commands = re.findall(r'^VERB\("([a-z ]+)"', slurp('ctl/cmdline/commands.def'), re.M)
    assert set(ends) == set(commands) - {'inhibit'}, set(ends) ^ set(commands)
    text = page('luctl.1.scd')
    for kind, codes, what in re.findall(r'^KIND\((\w+), "([\d ]+)", "([^"]+)"\)', table, re.M):
        told = told_ends(kind, codes, what, ends)
        assert told in text, f'luctl(1) lacks: {told}'
        command = next(command for command, of in ends.items() if of == kind)
        usage = ' '.join(output('luctl', *command.split(), '--help').split('Exit codes:')[1].split())
        assert re.findall(r'(?:^|, )(\d+) ', usage) == codes.split(), (command, usage)


def test_policy():
    """samsara-policy(5) has every key of policy.def, with its form, default and sentence, in the same order."""
    text = ' '.join(page('samsara-policy.5.scd').split('# KEYS', 1)[1].split())
    keys = json.loads(output('luctl', 'policy', 'schema', '--json'))['keys']
    assert len(keys) > 50
    for key in keys:
        how = ', required' if key['required'] else f', default "{key["default"]}"' if key['default'] is not None else ''
        told = f'*{key["key"]}* ({key["type"]}{how}) {key["what"][0].upper()}{key["what"][1:]}. '
        assert told in text, f'samsara-policy(5) lacks: {told}'
        text = text[text.index(told) + len(told):]
    assert text.startswith('# FILES'), f'samsara-policy(5) has more keys: {text[:80]}'


def test_identities():
    """samsara-identities(5) has every key of identities.def with its sentence, in the same order."""
    text = ' '.join(page('samsara-identities.5.scd').split('# KEYS', 1)[1].split())
    with open(os.path.join(TOP, 'orchestrator/policy/identities.def'), encoding='ascii') as f:
        rows = re.findall(r'^ROW\(\w+, \w+, "(\w+)", \w+, \w+, .*?(MUST|MAY), ACTS,\s+"([^"]+)"\)', f.read(), re.M)
    assert len(rows) > 6
    for key, need, what in rows:
        told = re.search(r'\*[\w.\[\]]*\b%s(\[\])?\* \([^)]*\) %s' % (key, re.escape(what[0].upper() + what[1:])), text)
        assert told and (', required' in told.group()) == (need == 'MUST'), f'samsara-identities(5) lacks: {key} {need} {what}'
        text = text[told.end():]


UNITS = {'us': 1, 'ms': 1000, 's': 10**6, 'min': 60 * 10**6, 'h': 3600 * 10**6, 'd': 86400 * 10**6, '': 1,
         'KiB': 1 << 10, 'MiB': 1 << 20, 'B': 1}


def quantity(text):
    number, unit = re.fullmatch(r'(\d+)(\w*)', text).groups()
    return int(number) * UNITS[unit]


def check_keys(text):
    """Defaults, and the keys that a reload cannot change, are those of the program's own table."""
    names, fixed, section = [], [], ''
    for place, key, reload in re.findall(r'^[A-Z]+\("(\w*)", "(\w+)", \w+, (LIVE|FIXED),', slurp('orchestrator/config/config.def'),
                                         re.M):
        names.append(f'{place}.{key}' if place else key)
        fixed += names[-1:] if reload == 'FIXED' else []
    assert len(names) > 20
    listed = re.search(r'while\s+lud\s+runs:\s+(.*?)\.\s+A\s+file', text, re.S).group(1)
    assert re.findall(r'\*([\w.]+)\*', listed) == fixed, ('lud(8): keys that are fixed', fixed)
    values = {}
    for indent, key, value in re.findall(r'^( *)(\w+): ?(.*)$', output('lud', '--print-config'), re.M):
        section = section if indent else key + '.' if not value else ''
        values[section + key] = value
    for heading, body in re.findall(r'^(\*[a-z_.]+\*(?:, \*[a-z_.]+\*)*)\n\t(.*?)\n\n', text, re.M | re.S):
        keys = re.findall(r'\*([\w.]+)\*', heading)
        told = re.findall(r'"(\w+)"', body) if set(keys) & set(names) else []
        # Quantities: at most one of the heading's keys has another kind of default, and it stands last.
        for key, default in zip(keys, told):
            if re.fullmatch(r'"\d+\w*"', values[key]):
                assert quantity(values[key].strip('"')) == quantity(default), f'lud(8): default of {key} is {values[key]}'
        assert len(told) >= sum(values.get(k, '')[:1] == '"' for k in keys), f'lud(8) lacks a default of {keys}'
    assert f'({values["machine.services"]})' in text, 'lud(8): default of machine.services'


def test_record_version():
    """The newest release notes name the version of the record once, the one that its tables have."""
    tables = slurp('orchestrator/store/tables.def')
    newest = max(int(n) for n in re.findall(r'^(?:TABLE|COLUMN|APART)\(\w+, (\d+),', tables, re.M))
    said = re.findall(r'record is of\s+version (\d+)', slurp('CHANGELOG.md').split('\n## ')[1])
    assert said == [str(newest)], f'CHANGELOG.md says that the record is of version {said}; it is of version {newest}'


def test_version():
    """One version: the programs have that of meson.build, and the notes and the package of Debian name it first."""
    version, = re.findall(r"^project\(.*\n  version: '([\d.]+)'", slurp('meson.build'), re.M)
    assert re.search(r'^## (\S+)', slurp('CHANGELOG.md'), re.M).group(1) == version, f'CHANGELOG.md does not begin with {version}'
    assert slurp('debian/changelog').startswith(f'samsara ({version}) '), f'debian/changelog does not begin with {version}'
    assert output('lud', '--version').startswith(f'lud {version} '), f'lud --version does not say {version}'


def test_lud():
    text = page('lud.8.scd')
    for option in re.findall(r'--[a-z-]+', output('lud', '--help')):
        assert option in text, f'lud(8) has no option {option}'
    section = ''
    for indent, key, value in re.findall(r'^( *)(\w+): ?(.*)$', output('lud', '--print-config'), re.M):
        section = section if indent else key + '.' if not value else ''
        assert not value or f'*{section}{key}*' in text, f'lud(8) has no key {section}{key}'
    check_keys(text)
    codes = re.findall(r'LUD_EXIT_\w+ = (\d+)', slurp('orchestrator/lud/priv.h'))
    assert codes
    for code in codes:
        assert re.search(rf'^\*{code}\*', text, re.M), f'lud(8) has no exit code {code}'


def test_metrics():
    """The guide has every metric as the table has it, and nothing else; rules and dashboard name nothing that is not there."""
    rows = re.findall(r'^(?:LUD|MACHINE)\((\w+), (\w+), "([\w,]*)", "([^"]*)"\)', slurp('orchestrator/metrics/metrics.def'), re.M)
    wanted = [f'| `samsara_{name}` | {kind.lower()} | {labels.replace(",", ", ")} | {what} |' for name, kind, labels, what in rows]
    assert re.findall(r'^\| `samsara_.*', slurp('docs/guide/monitoring.md'), re.M) == wanted and len(rows) > 30
    names = {'samsara_' + name for name, *_ in rows}
    histograms = {f'samsara_{name}_{part}' for name, kind, *_ in rows if kind == 'HISTOGRAM' for part in ('bucket', 'sum', 'count')}
    labels = {label for row in rows for label in row[2].split(',')} | {'le'}
    rules = re.findall(r"^        expr: '(.*)'$", slurp('docs/monitoring/alerts.yml'), re.M)
    panels = json.loads(slurp('docs/monitoring/dashboard.json'))['panels']
    asked = rules + [target['expr'] for panel in panels for target in panel['targets']]
    assert len(rules) == slurp('docs/monitoring/alerts.yml').count('- alert: ') > 5 and len(asked) > 20
    for expression in asked:
        named = set(re.findall(r'samsara_\w+', expression))
        assert named and named <= names | histograms, (expression, named - names - histograms)
        by = re.findall(r'(?:by|on) \(([\w, ]+)\)', expression) + re.findall(r'[{,](\w+)=', expression)
        assert {label for some in by for label in some.split(', ')} <= labels, expression


def test_pages():
    """Every page is built, is called what its file is called, and refers to pages of ours that are there."""
    pages = {name[:-4] for name in os.listdir(os.path.join(TOP, 'docs/man')) if name.endswith('.scd')}
    assert set(re.findall(r"'([\w.-]+\.\d)'", slurp('docs/man/meson.build'))) == pages
    for name in pages:
        stem, _, section = name.rpartition('.')
        text = slurp(f'docs/man/{name}.scd')
        assert text.startswith(f'{stem}({section})\n') and f'\n# NAME\n\n{stem} - ' in text, name
        for other in re.findall(r'\*((?:lu|samsara)[\w.-]+)\*\((\d)\)', text):
            assert '.'.join(other) in pages, f'{name} refers to {other}'


def test_protocol():
    """samsara-protocol(7) names every description of bytes, and schemas that are there; versions are those of the programs."""
    text = page('samsara-protocol.7.scd')
    for header, name in (('machine/channel/channel.h', 'machine'), ('request/request.h', 'control')):
        version = re.search(r'_PROTOCOL (\d+)u', slurp('orchestrator/' + header)).group(1)
        assert re.search(rf'the {name} protocol {"is " if name == "machine" else ""}{version}\b', text), (name, version)
        assert f'the {name} protocol is {version}' in slurp('docs/protocol/frame.md'), (name, version)
    for name in os.listdir(os.path.join(TOP, 'docs/protocol')):
        assert f'_{name}_' in text, f'samsara-protocol(7) has no {name}'
    for path in re.findall(r'_([\w/]+\.proto)_', text):
        assert os.path.exists(os.path.join(TOP, path)), path


def test_lud_yaml():
    """The example of lud.yaml(5) is a good configuration."""
    example = re.search(r'```\n(.*?)```', slurp('docs/man/lud.yaml.5.scd'), re.S).group(1)
    with tempfile.NamedTemporaryFile('w', suffix='.yaml') as f:
        f.write(example)
        f.flush()
        output('lud', '--check-config', '--config', f.name)


def test_pictures():
    """Pictures are SVG of shapes and words alone."""
    names = os.listdir(os.path.join(TOP, 'docs/pictures'))
    assert set(names) == {'update.svg', 'generations.svg'}, names
    for name in names:
        tags = {mark.tag.removeprefix('{http://www.w3.org/2000/svg}'): mark.attrib for mark in
                xml.etree.ElementTree.parse(os.path.join(TOP, 'docs/pictures', name)).iter()}
        assert set(tags) <= {'svg', 'style', 'rect', 'circle', 'path', 'text', 'title'}, (name, set(tags))
        assert 'docs/pictures/' + name in slurp('README.md') and 'prefers-color-scheme:dark' in slurp('docs/pictures/' + name)


def test_luforge():
    text = page('luforge.1.scd')
    usage = output('luforge', '--help')
    for word in set(re.findall(r'--[a-z-]+|luforge [a-z]+ ', usage)) - {'luforge makes '}:
        assert word.strip() in text, f'luforge(1) has no {word}'


def main():
    failed = 0
    for name, test in sorted(globals().items()):
        if not name.startswith('test_'):
            continue
        try:
            test()
            print('ok', name)
        except (AssertionError, OSError, subprocess.CalledProcessError) as e:
            failed += 1
            print('not ok', name, e)
    return 1 if failed else 0


sys.exit(main())
