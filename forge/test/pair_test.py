#!/usr/bin/env python3
"""luforge pair, and that luforge kit refuses what could not follow itself: small programs that
differ in a few lines. Usage: pair_test.py LUFORGE CLANG SOURCE_DIR CALLS"""
import json
import os
import subprocess
import sys
import tempfile

LUFORGE, CLANG = (os.path.abspath(a) if '/' in a else a for a in sys.argv[1:3])
SOURCE, CALLS = (os.path.abspath(a) for a in sys.argv[3:5])
FLAGS = ['-target', 'x86_64-linux-musl', '-flto', '-fPIE', '-O2', '-g', '-w', '-fkeep-persistent-storage-variables',
         '-fno-stack-protector', '-ffunction-sections', '-fdata-sections', '-I', os.path.dirname(SOURCE), '-c']
HEAD = '#include "osd/lib/annotate/annotate.h"\n'


def run(*args):
    return subprocess.run([LUFORGE, *args], capture_output=True, text=True)


def kit(root, name, code):
    """Make a kit of one file; returns its directory and what luforge said. Behind @ stands what the
    program refers to: all else would be dropped."""
    code, _, names = code.partition('@')
    uses = ''.join('asm volatile("" :: "r"(&%s)); ' % name for name in names.split())
    directory = os.path.join(root, name)
    os.makedirs(directory)
    with open(os.path.join(directory, 'main.c'), 'w') as f:
        f.write(HEAD + code + '\nvoid _start(void) { ' + uses + '}\n')
    subprocess.run([CLANG, *FLAGS, 'main.c', '-o', 'main.o'], cwd=directory, check=True)
    out = os.path.join(directory, 'it.kit')
    made = run('kit', '--service', os.path.join(SOURCE, 'test', 'small.service'), '--calls', CALLS,
               '--out', out, os.path.join(directory, 'main.o'))
    return out, made


def pair(root, old, new, code):
    """Both directions of two programs; the exit code is that of the first."""
    with tempfile.TemporaryDirectory(dir=root) as here:
        kits = []
        for name, text in (('old', old), ('new', new)):
            out, made = kit(here, name, text)
            assert made.returncode == 0, made.stderr
            kits.append(out)
        shown = run('pair', *kits, '--json')
        assert shown.returncode == code, f'{new}: exit {shown.returncode}, not {code}\n{shown.stdout}{shown.stderr}'
        said = run('pair', *kits)
        assert said.returncode == code
        answer = json.loads(shown.stdout)
        for way in ('forward', 'back'):
            assert answer[way]['pairing_id'] in said.stdout
        assert answer['forward']['pairing_id'] != answer['back']['pairing_id']
        assert answer['forward']['new']['state_hash'] == answer['back']['old']['state_hash']
        return answer['forward'], answer['back'], said.stdout


def texts(direction, key):
    return sorted(row['text'] for row in direction[key])


def test_loss(root):
    forward, back, said = pair(root, 'struct s { int x, y; } v; int gone; @ v gone',
                                'struct s { int x; long more; } v; @ v', 4)
    assert texts(forward, 'loss') == ['main.c:gone', 'struct s.y'], forward
    assert texts(back, 'loss') == ['struct s.more'], back
    assert 'lost: variable main.c:gone' in said and 'lost: member struct s.y' in said
    rows = {row['what']: row for row in forward['loss']}
    assert rows['variable']['entry'] == 'main.c:gone' and rows['member']['member'] == 'y', rows


def test_consented_in_source(root):
    forward, back, _ = pair(
        root, 'struct s { int x, y; } v; static int gone; int f(void) { static int calls; return gone + calls++; } @ v f',
        'struct s { int x; long more STATE_EXPENDABLE; } STATE_DROPPED(y) v;'
        'STATE_DROPPED_VARIABLE(gone); STATE_DROPPED_VARIABLE(f:calls); @ v', 0)
    assert texts(forward, 'dropped') == ['main.c:f:calls', 'main.c:gone', 'struct s.y'], forward
    assert forward['loss'] == [] and texts(back, 'dropped') == ['struct s.more'], back
    assert texts(back, 'loss') == [], back


def test_risk(root):
    forward, _, said = pair(root, 'int v[8]; enum e { A, B, C } e; @ v e', 'int v[4]; enum e { B, A } e; @ v e', 0)
    assert texts(forward, 'at_risk') == ['elements from [4] of main.c:v', 'enumerator C of e at main.c:e'], forward
    assert '  lost if in use: elements from [4] of main.c:v\n' in said, said
    assert '  lost if in use: enumerator C of e at main.c:e\n' in said, said


def test_initial(root):
    forward, back, said = pair(
        root, 'int limit = 100; struct s { int a; struct { short b, c; } in[2]; char *name; } s ='
        ' { 1, { { 2, 3 }, { 4, 5 } }, "x" }; int zero; int same = 7; int f(void); int (*call)(void) = f;'
        'int f(void) { return 0; } int *to = &same; int *away = &zero; struct b { unsigned n : 3, m : 5; } bits = { 1, 2 };'
        '@ limit s zero same call to away bits',
        'long limit = 200; struct s { char *name; struct { int c, b; } in[3]; long a; int added; } s ='
        ' { "x", { { 3, 2 }, { 6, 4 } }, 1, 9 }; int zero; int same = 7; int f(void); int (*call)(void) = f;'
        'int f(void) { return 0; } int *to = &same; int *away = &same; struct b { unsigned m : 6, n : 3; } bits = { 3, 1 };'
        '@ limit s zero same call to away bits', 0)
    rows = {row['entry'] + row['member']: (row.get('old'), row.get('new')) for row in forward['initial']}
    assert rows == {'main.c:limit': (100, 200), 'main.c:s.in[1].c': (5, 6), 'main.c:away': (None, None),
                    'main.c:bits.m': (2, 3)}, rows
    assert len(back['initial']) == 4
    assert 'the running value stays: main.c:limit (100 -> 200)' in said


def test_tables(root):
    head = 'struct op { int id; const char *name; }; extern const struct op table[]; const struct op *at = &table[1];'
    tail = 'const int other[] = { %s }; const char text[] = "%s"; @ at table other text'
    old = head + 'const struct op table[] = { { 1, "a" }, { 2, "b" } };' + tail % ('1, 2', 'one')
    new = head + 'const struct op table[] = { { 1, "a" }, { 7, "c" }, { 2, "b" } };' + tail % ('5, 2', 'two')
    forward, back, said = pair(root, old, new, 0)
    rows = [(row['entry'], row['member'], row.get('old'), row.get('new')) for row in forward['tables']]
    assert rows == [('main.c:table', '[1].id', 2, 7)], forward
    assert len(back['tables']) == 1
    assert 'constant table changed, pointers to rows follow their content: main.c:table[1].id (2 -> 7)' in said, said
    # Rows behind the last change nothing for those before; rows that are gone do.
    less = head + 'const struct op table[] = { { 1, "a" } };' + tail % ('1, 2', 'one')
    forward, back, _ = pair(root, less, old, 0)
    assert forward['tables'] == [] and [row['member'] for row in back['tables']] == ['[1]'], back


def test_signatures(root):
    code = ('struct s { int a; }; typedef struct { int b; } anonymous; typedef const struct s *alias; enum e { A };'
            'static __attribute__((noinline)) int one(alias s, unsigned char c, anonymous *t, enum e e, int unused)'
            ' { return s->a + c + t->b + e; }'
            'void two(void (*f)(int, char **), const char *text, ...) { f(text[0], 0); }'
            'static inline long twice(long n) { return n * 2; } long (*call)(long) = twice; void *any = (void *)one;'
            'int renamed(void) STATE_RENAMED_FROM(before); int renamed(void) { return (int)twice(4); }'
            '@ one two call any renamed')
    out, made = kit(root, 'signatures', code)
    assert made.returncode == 0, made.stderr
    lines = {line.split()[2]: line for line in run('state', os.path.join(out, 'state')).stdout.splitlines()
             if 'signature=' in line}
    for name, words in (('one', 'int(struct s*,unsigned char,struct anonymous*,enum e,int)'),
                        ('two', 'void(void(int,char**)*,char*,...)'), ('twice', 'long(long)'), ('renamed', 'int()')):
        assert '[state:signature=%s]' % words in lines[name], lines
    assert '[state:renamed=before]' in lines['renamed'], lines


def test_handlers_and_impossible(root):
    old = 'struct s { int x; } v; int n; @ v n'
    new = ('struct state_view; STATE_HANDLER_USED int one(const struct state_view *v) { return 0; }'
           'STATE_HANDLER_USED int two(const struct state_view *v) { return 0; }'
           'struct s { char *x STATE_HANDLER(one); } v; int n STATE_HANDLER(two); @ v n')
    forward, back, said = pair(root, old, new, 0)
    assert sorted((h['function'], h['of']) for h in forward['handlers']) == [('one', 's.x'), ('two', 'main.c:n')], forward
    assert forward['possible'] and not back['possible'] and 'main.c:v.x' in back['error'], back
    assert 'impossible (type): type changed its kind at main.c:v.x' in said
    forward, _, _ = pair(root, new, old, 5)
    assert forward['rule'] == 'type' and 'loss' not in forward


def test_self(root):
    bad = {
        'union { char *text; long number; } value; @ value': ('main.c:value', 'union without a tag'),
        'struct s { int kind; union { char *text; long n; } u; } v[2]; @ v': ('main.c:v.u', 'union without a tag'),
        'struct s { int kind; union { char *text STATE_WHEN(1); long n; } u STATE_TAG(kind); } v; @ v':
            ('main.c:v.u', 'does not say when'),
        'struct s { char *text STATE_LENGTH(absent); } v; @ v': ('main.c:v.text', 'length names no number'),
        'struct s { unsigned char k; union { char *text STATE_WHEN(300); long n STATE_WHEN(1); } u STATE_TAG(k); } v; @ v':
            ('main.c:v.u.text', 'that its tag cannot hold: 0x12c'),
        'int a STATE_RENAMED_FROM(was); int b STATE_RENAMED_FROM(was); @ a b': ('main.c:b', 'another one was renamed from'),
    }
    for i, (code, words) in enumerate(bad.items()):
        out, made = kit(root, 'self%d' % i, code)
        assert made.returncode == 2, code
        assert all(w in made.stderr for w in words) and 'could follow this release' in made.stderr, made.stderr
        assert not os.path.exists(os.path.join(out, 'manifest')), code


def test_pointers_to_pointers(root):
    out, made = kit(root, 'pointers', 'int *to; int **by = &to; int ***from = &by; @ from by to')
    assert made.returncode == 0, made.stderr
    said = run('state', os.path.join(out, 'state')).stdout
    assert all(' %s ' % words in said for words in ('int *to', 'int **by', 'int ***from')), said


def test_wrong(root):
    out, _ = kit(root, 'good', 'int a;')
    assert run('pair', out).returncode == 1 and run('pair', out, out, '--colour').returncode == 1
    assert run('pair', out, os.path.join(root, 'absent')).returncode == 2
    assert run('pair', out, out).returncode == 0


with tempfile.TemporaryDirectory() as top:
    for test in (test_loss, test_consented_in_source, test_risk, test_initial, test_tables, test_signatures, test_handlers_and_impossible,
                 test_self, test_pointers_to_pointers, test_wrong):
        test(top)
print('ok')
