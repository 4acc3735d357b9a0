#!/usr/bin/env python3
"""The whole path on the host: source -> kit -> variants, looked at by their maps; then
everything that luforge must refuse. Usage: path_test.py LUFORGE CLANG SOURCE_DIR CALLS SEAL_SEED"""
import filecmp
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

LUFORGE, CLANG, SOURCE, CALLS, SEAL = (os.path.abspath(a) if '/' in a else a for a in sys.argv[1:6])
RESOURCE = subprocess.run([CLANG, '-print-resource-dir'], capture_output=True, text=True,
                          check=True).stdout.strip()
FLAGS = ['-target', 'x86_64-linux-musl', '-nostdinc', '-isystem', RESOURCE + '/include', '-isystem',
         '/usr/include/x86_64-linux-musl',
         '-fdebug-compilation-dir=.', '-fPIE', '-O2', '-g', '-fkeep-persistent-storage-variables',
         '-fno-asynchronous-unwind-tables', '-fno-stack-protector', '-ffunction-sections',
         '-fdata-sections', '-c']
PAGE = 4096


def luforge(*args, code=0, stdin=None, env=None):
    r = subprocess.run([LUFORGE, *args], capture_output=True, text=True, input=stdin, env=env)
    assert r.returncode == code, f'luforge {args}: exit {r.returncode}, not {code}\n{r.stderr}'
    return r.stdout if code == 0 else r.stderr


def compile_in(directory, *names, flags=('-flto',)):
    """Compile with relative names, as the build does."""
    for name in names:
        subprocess.run([CLANG, *FLAGS, '-ffile-prefix-map=' + directory + '=.', *flags,
                        name, '-o', name[:-2] + '.o'], cwd=directory, check=True)
    return [os.path.join(directory, n[:-2] + '.o') for n in names]


def kit_args(directory, out, *more):
    return ['kit', '--service', os.path.join(directory, 'small.service'), '--calls', CALLS, '--out', out, *more]


def make_kit(root, name):
    directory = os.path.join(root, name)
    shutil.copytree(os.path.join(SOURCE, 'test'), directory)
    objects = compile_in(directory, 'main.c', 'other.c')
    kit = os.path.join(directory, 'small.kit')
    cache = os.path.join(root, 'cache')
    luforge(*kit_args(directory, kit, '--cache', cache, '--objects', os.path.join(directory, 'parts'), *objects))
    assert tree(kit) == ['files', 'flat', 'manifest', 'names', 'recipe', 'service', 'state']
    entries = {f for f in os.listdir(cache) if re.fullmatch(r'[0-9a-f]{32}((\.debug)?\.o|\.sum)', f)}
    assert set(os.listdir(cache)) - entries == {'small.kit.uses'}
    with open(os.path.join(cache, 'small.kit.uses'), encoding='ascii') as f:
        uses = f.read().split()
    assert len(uses) == 2 and {u[:-2] + e for u in uses for e in ('.o', '.debug.o', '.sum')} <= entries
    return kit


def tree(path):
    return sorted(os.path.relpath(os.path.join(d, f), path) for d, _, fs in os.walk(path) for f in fs)


def check_same_tree(a, b):
    assert tree(a) == tree(b)
    for f in tree(a):
        assert filecmp.cmp(os.path.join(a, f), os.path.join(b, f), shallow=False), f


class Payload:
    def __init__(self, path):
        self.bytes = open(path, 'rb').read()
        (self.magic, _, _, self.size, self.service, self.base, self.entry, n_seg, n_sym, seg_off,
         sym_off) = struct.unpack_from('<8sIIQ24sQQIIQQ', self.bytes)
        self.segments = [struct.unpack_from('<QQQQII', self.bytes, seg_off + 40 * i) for i in range(n_seg)]
        self.symbols = list(struct.unpack_from(f'<{n_sym}Q', self.bytes, sym_off))

    def segment(self, addr):
        return next(s for s in self.segments if s[0] <= addr < s[0] + s[1])

    def read(self, addr, n):
        va, _, off, size, _, _ = self.segment(addr)
        assert addr - va + n <= size
        return self.bytes[off + addr - va:off + addr - va + n]


class Variant:
    def __init__(self, kit, number, where):
        self.path = os.path.join(where, f'v{number}.payload')
        listing = self.path + '.map'
        luforge('variant', '--kit', kit, '--seed', f'{number:064x}', '--out', self.path, '--map', listing)
        self.payload = Payload(self.path)
        rows = [line.split(' ') for line in open(listing, encoding='ascii').read().splitlines()]
        self.map = [(int(a, 16), int(s), self.kind(int(a, 16)), n) for a, s, n in rows]
        self.addr = {name: addr for addr, _, _, name in self.map}
        assert [r[0] for r in self.map] == sorted(r[0] for r in self.map)
        assert len(self.addr) == len(self.map) and [sorted(self.addr)] == [sorted(piece_names(kit))]

    def kind(self, addr):
        """t, r, d or b, as nm has them: code, constants, data, zeroed data."""
        va, _, _, size, prot, _ = self.payload.segment(addr)
        return {5: 't', 1: 'r', 3: 'd' if addr < va + size else 'b'}[prot]

    def order(self, kind):
        return [n for _, _, k, n in self.map if k == kind]


def piece_names(kit):
    return open(os.path.join(kit, 'names'), encoding='ascii').read().splitlines()


def read_entries(kit):
    """The description's entries: (kind, flags, unit, scope, name bytes, size)."""
    b = open(os.path.join(kit, 'state'), 'rb').read()
    parts = [struct.unpack_from('<QQ', b, 56 + 16 * i) for i in range(5)]
    text = b[parts[4][0]:parts[4][0] + parts[4][1]]

    def string(off):
        return text[off:text.index(b'\0', off)].decode()
    entries = []
    for i in range(parts[2][1] // 40):
        kind, flags, unit, scope, name, _, _, _, size = struct.unpack_from('<8IQ', b, parts[2][0] + 40 * i)
        body = text[name:name + size] if kind == 3 else string(name)
        entries.append((kind, flags, string(unit), string(scope), body, size))
    return entries


def check_layout(v):
    p = v.payload
    assert p.magic == b'SAMIMG1\0' and p.service.rstrip(b'\0') == b'small'
    assert p.base % (2 << 20) == 0 and p.entry == v.addr['_start']
    assert p.segment(p.entry)[4] == 5
    assert sorted(s[4] for s in p.segments) == [1, 3, 5]
    check_fill(v)
    for (a, size, _, n), (b, _, _, m) in zip(v.map, v.map[1:]):
        assert a + size < b, f'{n} ends where {m} begins'


def check_fill(v):
    """Nothing but int3 where no function is."""
    va, _, off, size, _, _ = next(s for s in v.payload.segments if s[4] == 5)
    text = bytearray(v.payload.bytes[off:off + size])
    for a, s, k, _ in v.map:
        if k == 't':
            text[a - va:a - va + s] = b'\xcc' * s
    assert text == b'\xcc' * size


def check_description(kit, v):
    entries = read_entries(kit)
    names = open(os.path.join(os.path.dirname(kit), 'parts', 'symbols')).read().split('\n')[:-1]
    p = v.payload
    assert len(entries) == len(names) == len(p.symbols)
    for (kind, flags, _, _, body, size), name, addr in zip(entries, names, p.symbols):
        assert addr == v.addr.get(name, addr), name
        prot = p.segment(addr)[4]
        assert (prot == 5) == (kind == 1 or (kind == 4 and prot == 5)), name
        assert bool(flags & 1) == (prot != 3) or kind == 2, name
        if kind == 3:
            assert p.read(addr, size) == body, name
    keys = {(e[0], e[2], e[3], e[4]) for e in entries if e[0] != 3}
    for key in [(0, 'main.c', '', 'head'), (0, 'main.c', '', 'calls'), (0, 'other.c', '', 'calls'),
                (0, 'main.c', 'count', 'calls'), (0, 'other.c', 'count', 'calls'),
                (0, 'main.c', 'count_more', 'calls'), (0, 'main.c', '', 'words'), (0, 'other.c', '', 'words'),
                (0, 'main.c', '', 'limits'), (0, 'main.c', '', 'big'), (0, 'main.c', '', 'r'),
                (0, 'main.c', '', 're'), (0, 'main.c', '', 'rel'), (0, 'main.c', '', 'relief'), (0, 'main.c', '', 'rest'), (1, 'main.c', '', '_start'),
                (1, 'other.c', '', 'shape_shrink'), (2, 'main.c', 'grow', '#0'), (2, 'main.c', 'grow', '#2'),
                (2, 'other.c', 'shape_shrink', '#0'), (4, 'libc.a', 'strlen.lo', 'strlen')]:
        assert key in keys, key
    strings = [e[4] for e in entries if e[0] == 3]
    for s in [b'world\0', b'hello world\0', b'three\0', b'first\0']:
        assert s in strings, s
    assert strings.count(b'one\0') == 2
    # Everything of ours that is state is a piece of its own, and described.
    described = set(names)
    own = {n for _, _, k, n in v.map if k in 'db' and '$' in n}
    assert len([n for n in own if '.lu_site_' in n]) == 4 and own <= described


def check_types(kit):
    text = luforge('state', kit)
    for line in ['struct shape_record  48 bytes', '0  struct shape_record *next', '8  enum shape_kind kind',
                 '[state:tag=kind]', 'const char *text  [state:when=SHAPE_TEXT]', 'SHAPE_TEXT = -2',
                 'unsigned int low : 3', 'unsigned int high : 29  (from bit 3)',
                 'volatile uint8_t bytes[4]', 'double weight', 'function (*hook)()', 'char tail[]',
                 'int grid[3][5]  main.c  [state:raw]', 'shape_function *table[2]',
                 'const struct shape_limits limits', 'grow#1 allocates char [16]',
                 'grow#2 allocates shape_function *', 'const char *const words[4]']:
        assert line in text, f'"{line}" is not in\n{text}'
    # One type, although two units have it.
    assert text.count('struct shape_record  48 bytes') == 1


def test_path(root):
    kit, again = make_kit(root, 'here'), make_kit(root, 'over/there')
    check_same_tree(kit, again)
    check_types(kit)
    a, b = Variant(kit, 1, root), Variant(kit, 2, root)
    for v in (a, b):
        check_layout(v)
        check_description(kit, v)
    assert a.payload.base != b.payload.base
    for kind in 'tdrb':
        assert a.order(kind) != b.order(kind), kind
        assert sorted(a.order(kind)) == sorted(b.order(kind)), kind
    seen = set()
    for v in (Variant(kit, n, root) for n in range(3, 13)):
        check_layout(v)
        check_description(kit, v)
        seen.add(v.payload.base)
    assert len(seen) == 10
    test_reproducible(root, again, a)
    test_batch(root, again)
    test_verify_sealed(root, again)
    test_alone(root, kit, a)
    test_options(root, kit, a)
    test_effect(root, kit, a, b)
    test_images(root, kit, a)
    test_any_program(root)


def test_reproducible(root, kit, a):
    """The same bytes from another kit, another directory, another environment."""
    temp = os.path.join(root, 'elsewhere')
    os.mkdir(temp)
    out = os.path.join(temp, 'x')
    luforge('variant', '--kit', kit, '--seed', '-', '--out', out, stdin=f'{1:064x}\n',
            env={'TMPDIR': temp, 'LANG': 'C.UTF-8'})
    assert filecmp.cmp(out, a.path, shallow=False)
    assert os.listdir(temp) == ['x'], 'luforge left something behind'


def test_batch(root, kit):
    """Many variants of one seed: the same ones again, none alike, and only what is missing is made."""
    out, again = os.path.join(root, 'batch'), os.path.join(root, 'batch2')
    os.mkdir(out)
    words = ('--seed', f'{9:064x}', kit)
    assert '40 variants, 40 of them made now' in luforge('batch', '--count', '40', *words, out)
    names = {f'{n}.{kind}' for n in range(1, 41) for kind in ('payload', 'seed')}
    assert set(os.listdir(out)) == names and os.stat(out + '/7.seed').st_mode & 0o777 == 0o600
    bytes_of = {n: open(f'{out}/{n}.payload', 'rb').read() for n in range(1, 41)}
    assert len(set(bytes_of.values())) == 40 and len({open(f'{out}/{n}.seed').read() for n in bytes_of}) == 40
    with open(out + '/7.seed') as f:
        luforge('variant', '--kit', kit, '--seed', '-', '--out', root + '/seventh', stdin=f.read())
    assert filecmp.cmp(root + '/seventh', out + '/7.payload', shallow=False)
    # Interrupted: a variant without its seed is not there yet, whatever its payload has.
    os.unlink(out + '/8.seed')
    with open(out + '/8.payload', 'wb') as f:
        f.write(b'half')
    made = os.stat(out + '/7.payload').st_mtime_ns
    assert '42 variants, 3 of them made now' in luforge('batch', '--count', '42', *words, out)
    assert open(out + '/8.payload', 'rb').read() == bytes_of[8] and os.stat(out + '/7.payload').st_mtime_ns == made
    luforge('batch', '--count', '8', *words, again)
    assert all(filecmp.cmp(f'{out}/{n}.payload', f'{again}/{n}.payload', shallow=False) for n in range(1, 9))
    # Another batch's directory is left as it is.
    told = luforge('batch', '--count', '2', '--seed', f'{8:064x}', kit, again, code=2)
    assert 'not variant 1 of this kit and seed' in told and open(again + '/1.payload', 'rb').read() == bytes_of[1]
    with open(again + '/2.payload', 'r+b') as f:  # one byte of a variant that is there
        f.write(b'X')
    assert 'not variant 2 of this kit and seed' in luforge('batch', '--count', '2', *words, again, code=2)
    for count, words_told in (('0', 'from 1 to 65536'), ('65537', 'up to 65536'), ('x', 'not a number')):
        assert words_told in luforge('batch', '--count', count, *words, again, code=1), count
    assert 'batch needs' in luforge('batch', *words, again, code=1)
    assert '1.payload' in luforge('batch', '--count', '1', *words, '/proc/self', code=3)


def changed(digits, at):
    """With another byte in its place."""
    return digits[:2 * at] + f'{int(digits[2 * at:2 * at + 2], 16) ^ 1:02x}' + digits[2 * at + 2:]


def test_verify_sealed(root, kit):
    """A layout that a machine made: its commitment and its sealed seed are all that is known, and the audit key opens
    it. Whatever is altered or swapped is refused, or not identical."""
    keys, other_keys, path = (os.path.join(root, name) for name in ('ring', 'other-ring', 'sealed'))
    with open(os.path.join(kit, 'manifest'), 'rb') as f:
        release = hashlib.blake2b(f.read()).hexdigest()
    seed = 'a5' * 32

    def seal(keys, release, seed):
        return subprocess.run([SEAL, keys, release, seed], check=True, capture_output=True, text=True).stdout.split()

    def verify(code, commitment, content, *more, audit=keys):
        with open(path, 'wb' if isinstance(content, bytes) else 'w') as f:
            f.write(content)
        return luforge('verify', '--kit', kit, '--commitment', commitment, '--sealed', path, '--audit-key', audit, *more,
                       code=code)
    commitment, sealed = seal(keys, release, seed)
    for content in (sealed, sealed + '\n', bytes.fromhex(sealed)):
        assert verify(0, commitment, content).startswith('identical: '), content
    # Where the pieces lay: as a variant of the same seed has them.
    maps = [os.path.join(root, name) for name in ('audit.map', 'variant.map')]
    verify(0, commitment, sealed, '--map', maps[0])
    luforge('variant', '--kit', kit, '--seed', seed, '--out', path, '--map', maps[1])
    assert filecmp.cmp(*maps, shallow=False)
    luforge('verify', '--kit', kit, '--commitment', commitment, '--seed', seed)
    # A byte of each part: ephemeral key, seed, tag; of the commitment.
    for at in (0, 31, 32, 63, 64, 79):
        assert 'does not open' in verify(2, commitment, changed(sealed, at)), at
    for at in (0, 63):
        assert 'does not open' in verify(2, changed(commitment, at), sealed), at
    for content in (sealed[:-2], sealed + '00', bytes(80)[:79], '', 'x' + sealed):
        assert 'not a sealed seed: 80 bytes' in verify(2, commitment, content), content
    for start in (b'ab\0', b'ab\n', b'\n'):  # bytes, whatever they begin with
        assert 'does not open' in verify(2, commitment, start + bytes(80 - len(start))), start
    # Another keyring's; none; one that others can read.
    seal(other_keys, release, seed)
    assert 'does not open' in verify(2, commitment, sealed, audit=other_keys)
    assert 'audit key (audit.pem) cannot be used' in verify(2, commitment, sealed, audit=root + '/nowhere')
    os.chmod(os.path.join(other_keys, 'audit.pem'), 0o644)
    assert 'mode 0600' in verify(2, commitment, sealed, audit=other_keys)
    # Sealed as it should be, of another release.
    other, sealed_other = seal(keys, changed(release, 0), seed)
    r = subprocess.run([LUFORGE, 'verify', '--kit', kit, '--commitment', other, '--seed', seed], capture_output=True,
                       text=True)
    assert r.returncode == 6 and r.stdout.startswith('not identical: '), r
    with open(path, 'w') as f:
        f.write(sealed_other)
    r = subprocess.run([LUFORGE, 'verify', '--kit', kit, '--commitment', other, '--sealed', path, '--audit-key', keys],
                       capture_output=True, text=True)
    assert r.returncode == 6 and 'another release or recipe' in r.stdout, r
    for wrong in (('--seed', seed), ('--envelope', path), ('--payload', path)):
        verify(1, commitment, sealed, *wrong)
    assert '128 hexadecimal digits' in verify(1, commitment[1:], sealed)


def test_alone(root, kit, a):
    """Only kits need LLVM, and the program that makes them: variants do without both."""
    place = os.path.join(root, 'alone')
    os.mkdir(place)
    program = shutil.copy(LUFORGE, place)
    out = os.path.join(place, 'x')
    subprocess.run([program, 'variant', '--kit', kit, '--seed', f'{1:064x}', '--out', out], check=True, env={})
    assert filecmp.cmp(out, a.path, shallow=False)
    r = subprocess.run([program, 'kit'], capture_output=True, text=True)
    assert r.returncode == 3 and 'luforge-kit: cannot be run; it belongs beside luforge' in r.stderr, r.stderr
    for name, needs in (('luforge', b''), ('luforge-kit', b'libLLVM'), ('luforge-compare', b'libcapstone')):
        with open(os.path.join(os.path.dirname(LUFORGE), name), 'rb') as f:
            content = f.read()
        found = {lib for lib in (b'libLLVM', b'libcapstone') if lib in content}
        assert found == ({needs} - {b''}), (name, found)


def test_options(root, kit, a):
    out = os.path.join(root, 'based')
    luforge('variant', '--kit', kit, '--seed', f'{1:064x}', '--base', '0x200000000000', '--out', out)
    p = Payload(out)
    assert p.base == 0x200000000000
    assert [s - p.base for s in p.symbols] == [s - a.payload.base for s in a.payload.symbols]
    directory = os.path.dirname(kit)
    other = os.path.join(root, 'mapped.kit')
    luforge(*kit_args(directory, other, '--unit-map', 'other.c=src/second.c', '--counter', '9', '--floor', '4',
                      os.path.join(directory, 'main.o'), os.path.join(directory, 'other.o')))
    units = {e[2] for e in read_entries(other)}
    assert 'src/second.c' in units and 'other.c' not in units
    assert 'release      9 (floor 4)' in luforge('inspect', other)


def test_effect(root, kit, a, b):
    """What layouts protect: two of them, by payload and by seed; and all of them."""
    def rows(*args):
        return {row['name']: row for row in json.loads(luforge(*args, '--json'))['rows']}

    seeds = [f'{n:064x}' for n in (1, 2)]
    both = rows('compare', '--kit', kit, a.path, b.path)
    assert both == rows('compare', '--kit', kit, '--seeds', *seeds)
    n = len(piece_names(kit))
    assert both['pieces.kept.address'] | {'note': ''} == {
        'name': 'pieces.kept.address', 'value': 0, 'unit': 'pieces', 'better': 'lower', 'note': '', 'of': n}
    assert both['gadgets.known.none']['value'] == 0 < both['gadgets.known']['value'] < 50
    moved = os.path.join(root, 'moved')
    luforge('variant', '--kit', kit, '--seed', seeds[0], '--base', '0x200000000000', '--out', moved)
    same = rows('compare', '--kit', kit, a.path, moved)
    assert same['pieces.kept.base']['value'] == n and same['pieces.kept.address']['value'] == 0
    assert same['gadgets.known']['value'] == 100
    assert 'gadgets.known.worst' in luforge('compare', '--kit', kit, a.path, b.path)
    bits = rows('entropy', kit, '--variants', '1000')
    assert 5 < bits['entropy.bits.text.given.text']['value'] <= bits['entropy.bits.text.given.text']['mean']
    assert bits['entropy.bits.heap.given.text']['note'] == 'theory'
    assert 'forge.size.ratio' in luforge('entropy', kit, '--variants', '100')
    luforge('compare', '--kit', kit, a.path, kit + '/flat', code=2)
    luforge('compare', '--kit', kit, a.path, code=1)
    luforge('compare', '--kit', kit, '--seeds', 'x', 'y', code=1)
    luforge('entropy', kit, '--variants', '1', code=1)
    luforge('entropy', kit, '--variants', 'many', code=1)


def test_any_program(root):
    """Any static program with debug data can be described, with addresses."""
    source, program = os.path.join(root, 'any.c'), os.path.join(root, 'any')
    open(source, 'w').write('static int counter; int top; int main(void) { static int k; return ++counter + ++k + top; }')
    subprocess.run([CLANG, '-g', '-O0', '-static', source, '-o', program], check=True)
    luforge('state', '--elf', program, '--out', program + '.state', '--addresses', program + '.addresses')
    text = luforge('state', program + '.state')
    entries = int(re.search(r'(\d+) entries', text)[1])
    assert os.path.getsize(program + '.addresses') == 8 * entries
    for line in ['int counter', 'int top', 'int main.k']:
        assert line in text, line


def test_images(root, kit, a):
    listing, image = os.path.join(root, 'boot.list'), os.path.join(root, 'boot.img')
    root_file = os.path.join(root, 'root')
    open(root_file, 'wb').write(b'signed root')
    lines = [f'machine_id {"ab" * 16}', 'boot_time 1000  # seconds', 'cmdline test=x level=2',
             f'root {root_file}', f'service small kernel kit {kit} payload {a.path} generation 1 floor 2',
             f'blob small#2 kit {kit} payload {a.path} generation 2', f'blob plain payload {root_file}']
    open(listing, 'w').write('\n'.join(lines))
    luforge('image', '--out', image, '--random-seed', 'cd' * 32, listing)
    assert os.stat(image).st_mode & 0o777 == 0o600  # the seed is in it
    text = luforge('inspect', image)
    for line in ['3 entries', 'ab' * 16, 'boot time    1000', 'test=x level=2', 'loaded by the kernel',
                 'small#2', f'payload {a.payload.size}',
                 f'flat kit {os.path.getsize(os.path.join(kit, "flat"))}', 'flat kit 0, payload']:
        assert line in text, text
    flat = open(os.path.join(kit, 'flat'), 'rb').read()
    assert open(image, 'rb').read().count(flat) == 2
    text = luforge('inspect', kit)
    assert f'flat kit     {hashlib.blake2b(flat).hexdigest()}' in text, text
    assert 'payload of small' in luforge('inspect', a.path)
    for bad in ['service big kit KIT payload P', 'service small kit KIT', 'service small kit KIT payload ROOT',
                'blob a b', 'blob', 'machine_id 00', 'cmdline ' + 'x' * 256, 'colour red',
                'blob a/b payload P', 'blob a payload P\nblob a payload P', 'blob a payload P kernel',
                'blob a payload P\nservice small kit KIT payload P']:
        bad = bad.replace('KIT', kit).replace('ROOT', root_file).replace('P', a.path)
        open(listing, 'w').write(bad)
        assert 'luforge: ' in luforge('image', '--out', image + '2', listing, code=2), bad
    assert not os.path.exists(image + '2')


REFUSED = {
    'is there twice': 'int f(int x) { if (x) { static int n; return ++n; } else { static int n; return --n; } }\n'
                      'void _start(void) { f(f(0)); }',
    'thread-local': 'static __thread int n; int f(void) { return ++n; } void _start(void) { f(); }',
    'rand.lo): writable library object seed': '#include <stdlib.h>\nint n; void _start(void) { n = rand(); }',
    'library function getpid enters the kernel': '#include <unistd.h>\nint n; void _start(void) { n = getpid(); }',
    'go through the gate page': 'void _start(void) { __asm__ volatile("syscall"); }',
    'has no debug data': 'int *p = (int[]){1, 2}; void _start(void) { p++; }',
    '.compoundliteral': 'const int *p = (const int[]){1, 2}; int _start(void) { return *p++; }',
    'named as a handler of state': 'int n __attribute__((btf_decl_tag("state:handler=f")));'
                                   '__attribute__((used)) void f(void) { n++; } void _start(void) { n++; }',
    'undefined hidden symbol: nothing': 'void nothing(void); void _start(void) { nothing(); }',
    'beyond 2 MiB': 'struct { char c[3 << 20]; int b : 3; } s; void _start(void) { s.b++; }',
    'object other_name is no variable': 'int n __asm__("other_name"); void _start(void) { n++; }',
    'object n$m$00000000 is no variable': 'int n$m$00000000; void _start(void) { n$m$00000000++; }',
    'object n is no variable': r'__asm__(".data\nn: .quad 1\n"); extern long n; void _start(void) { n++; }',
    'section .data.x is writable, and no variable':
        r'void _start(void) { __asm__ volatile(".pushsection .data.x,\"aw\"\n1: .quad 1\n.popsection\nincq 1b(%rip)"); }',
    'to n is not supported; define the symbol':
        'extern int n(void) __attribute__((weak)); int _start(void) { return !n; }',
    'without a size': '#include <stddef.h>\n#include <stdint.h>\n#include "shapes.h"\n'
                      'void _start(void) { *(char *)shape_new(void) = 1; }'.replace('sizeof(T)', '1'),
}


def test_refusals(root):
    directory = os.path.join(root, 'refused')
    shutil.copytree(os.path.join(SOURCE, 'test'), directory)
    kit = os.path.join(root, 'refused.kit')
    for words, code in REFUSED.items():
        open(os.path.join(directory, 'bad.c'), 'w').write(code)
        objects = compile_in(directory, 'bad.c', flags=('-flto', '-w'))
        expect = 3 if 'undefined' in words else 2
        text = luforge(*kit_args(directory, kit, *objects), code=expect)
        assert words in text, f'"{words}" is not in\n{text}'
        assert not os.path.exists(os.path.join(kit, 'manifest')), words
    test_assembled(root, directory)
    test_compared(root, directory)
    test_names(root, directory)
    test_reviewed(root, directory)
    test_library_origin(root, directory)
    test_bad_inputs(root, directory)


def test_assembled(root, directory):
    """What is written must have debug data, whoever compiled or assembled it."""
    kit = os.path.join(root, 'assembled.kit')
    write = lambda name, text: open(os.path.join(directory, name), 'w').write(text)
    write('bad.c', 'int grow(void); void _start(void) { grow(); }')
    write('data.c', 'static int n; int grow(void) { return n++; }')
    write('data.s', '.globl grow\ngrow: incq n(%rip)\nret\n.data\nn: .quad 1\n.globl k\nk: .quad 1\n'
                    '.section .rodata\n.globl c\nc: .quad 1\n')
    bitcode = compile_in(directory, 'bad.c')
    text = luforge(*kit_args(directory, kit, *bitcode, *compile_in(directory, 'data.s', flags=('-g0',))), code=2)
    assert 'writable object n is no' in text and 'object k is no' in text and 'object c' not in text, text
    text = luforge(*kit_args(directory, kit, *bitcode, *compile_in(directory, 'data.c', flags=('-g0',))), code=2)
    assert 'data.o: writable object n is no' in text, text
    luforge(*kit_args(directory, kit, *bitcode, *compile_in(directory, 'data.c', flags=())))
    assert [e[4] for e in read_entries(kit) if e[0] == 0] == ['n']


def test_compared(root, directory):
    """Addresses of what other files define are compared, and taken, however the files were compiled."""
    kit = os.path.join(root, 'compared.kit')
    write = lambda name, text: open(os.path.join(directory, name), 'w').write(text)
    write('bad.c', 'extern int n; int f(void); int (*p)(void) = f; int *q = &n;\n'
                   'int _start(void) { return p == f && q == &n ? f() : n; }')
    write('defined.c', '__attribute__((weak)) int n = 3; int f(void) { return ++n; }')
    for flags in ((), ('-fPIC',), ('-O0',), ('-O3', '-fno-plt')):
        objects = compile_in(directory, 'bad.c', 'defined.c', flags=('-flto', *flags))
        luforge(*kit_args(directory, kit, *objects))
        assert sorted(e[4] for e in read_entries(kit) if e[0] == 0) == ['n', 'p', 'q'], flags


def test_names(root, directory):
    """Whatever a thing is called in the source and in the object, the description has it, once."""
    kit = os.path.join(root, 'names.kit')
    open(os.path.join(directory, 'bad.c'), 'w').write(
        'static int n$m; int k$; int _$0; static int hidden(int x) { return x + 1; }\n'
        'int alias(int) __attribute__((alias("hidden"))); int label(int) __asm__("other_name");\n'
        'int label(int x) { return x * 2; } int plain(int x) { return x - 1; }\n'
        'int second(int) __attribute__((alias("plain"))); static int d$(int x) { return x * 5; }\n'
        'int (*p[])(int) = {alias, label, second, plain, d$};\n'
        'int _start(void) { return p[n$m++](k$++) + _$0++; }')
    for flags in ('-O2', '-O0'):
        luforge(*kit_args(directory, kit, *compile_in(directory, 'bad.c', flags=('-flto', flags))))
        entries = read_entries(kit)
        assert [e[4] for e in entries if e[0] == 0] == ['_$0', 'k$', 'n$m', 'p']
        assert [e[4] for e in entries if e[2] == 'bad.c' and e[0] != 0] == ['_start', 'd$', 'hidden', 'label', 'plain']
    # A weak variable of another type than the strong one that takes its place.
    open(os.path.join(directory, 'bad.c'), 'w').write('long n __attribute__((weak)); void _start(void) { n++; }')
    open(os.path.join(directory, 'second.c'), 'w').write('int n = 1;')
    text = luforge(*kit_args(directory, kit, *compile_in(directory, 'bad.c', 'second.c')), code=2)
    assert 'bad.c: line 1: n has 8 bytes, but 4 where it is defined' in text, text


def test_reviewed(root, directory):
    """A reviewed exception lets the same code pass; so do a kept handler and an alias."""
    reviewed, kit = os.path.join(root, 'reviewed.list'), os.path.join(root, 'reviewed.kit')
    open(os.path.join(directory, 'bad.c'), 'w').write(REFUSED['rand.lo): writable library object seed'])
    objects = compile_in(directory, 'bad.c')
    open(reviewed, 'w').write('# KIND SYMBOL WHY\nwritable seed a test\n')
    luforge(*kit_args(directory, kit, '--reviewed', reviewed, *objects))
    open(os.path.join(directory, 'bad.c'), 'w').write(
        'int n __attribute__((btf_decl_tag("state:handler=f"))); extern int m __attribute__((alias("n")));'
        '__attribute__((used, retain)) void f(void) { n++; } void _start(void) { m++; }')
    handled = os.path.join(root, 'handled.kit')
    luforge(*kit_args(directory, handled, *compile_in(directory, 'bad.c')))
    assert [e[4] for e in read_entries(handled) if e[0] == 0] == ['n']
    open(os.path.join(directory, 'bad.c'), 'w').write(REFUSED['rand.lo): writable library object seed'])
    compile_in(directory, 'bad.c')
    open(reviewed, 'w').write('writable seed\n')
    assert 'KIND SYMBOL WHY' in luforge(*kit_args(directory, kit, '--reviewed', reviewed, *objects), code=2)


def test_library_origin(root, directory):
    """The recipe says what a library was made from, as the line beside it does; the first directory wins."""
    first, kit = os.path.join(root, 'libraries'), os.path.join(root, 'origin.kit')
    os.mkdir(first)
    objects = compile_in(directory, 'main.c', 'other.c')
    args = kit_args(directory, kit, '--library-dir', first, '--library-dir', '/usr/lib/x86_64-linux-musl', *objects)

    def recipe():
        luforge(*args)
        return open(os.path.join(kit, 'recipe')).read().split('\n')
    assert 'library libc.a unknown' in recipe()
    shutil.copy('/usr/lib/x86_64-linux-musl/libc.a', first)
    for text in ('', 'one', 'one\ntwo\n', 'a\tb\n', '\n'):
        open(os.path.join(first, 'libc.a.source'), 'w').write(text)
        assert 'not one line' in luforge(*args, code=2)
    open(os.path.join(first, 'libc.a.source'), 'w').write('musl 1.2.3-1 prebuilt\n')
    assert recipe()[4] == 'library libc.a musl 1.2.3-1 prebuilt'


def test_bad_inputs(root, directory):
    kit = os.path.join(root, 'here', 'small.kit')
    objects = compile_in(directory, 'main.c', 'other.c')
    out = os.path.join(root, 'bad.kit')
    service = os.path.join(directory, 'small.service')
    assert 'not an ELF file' in luforge(*kit_args(directory, out, objects[0], service), code=2)
    assert 'no bitcode' in luforge(*kit_args(directory, out, *compile_in(
        directory, 'main.c', flags=())), code=2)
    assert 'already in' in luforge(*kit_args(directory, out, objects[1], objects[1]), code=2)
    assert 'cannot open' in luforge(*kit_args(directory, out, 'absent.o'), code=3)
    open(service, 'a').write('library absent.a\n')
    compile_in(directory, 'main.c')
    assert 'absent.a is in none' in luforge(*kit_args(directory, out, *objects), code=2)
    for args in (['kit'], ['variant'], ['nothing'], ['image', 'x'], ['state'], ['inspect'],
                 ['variant', '--kit', kit, '--seed', '12', '--out', 'x'],
                 ['variant', '--kit', kit, '--seed', '0' * 64, '--out', 'x', '--base', '4096'],
                 ['variant', '--kit']):
        assert 'try luforge --help' in luforge(*args, code=1), args
    test_damaged_kit(root, kit)
    test_bad_pieces(root, kit)
    test_tampered_kit(root, kit)
    test_outputs(root, kit, objects)
    test_cache(root, kit, objects)
    test_links(root, kit, objects)
    test_inputs(root, kit)


def test_damaged_kit(root, kit):
    copy = os.path.join(root, 'damaged.kit')
    for name in ('manifest', 'files', 'state', 'flat', 'names', 'recipe', 'service'):
        shutil.copytree(kit, copy)
        path = os.path.join(copy, name)
        b = bytearray(open(path, 'rb').read())
        b[35 if name == 'recipe' else len(b) // 2] ^= 1
        open(path, 'wb').write(b)
        out = os.path.join(root, 'x.payload')
        assert 'make the kit again' in luforge('variant', '--kit', copy, '--seed', '0' * 64, '--out', out,
                                               code=2) or name == 'manifest', name
        assert not os.path.exists(out), name
        shutil.rmtree(copy)


def replace_file(kit, name, content):
    """Change a file of a kit, its list and the manifest with it."""
    def digest(b):
        return hashlib.blake2b(b).digest()
    path, list_path, manifest_path = (os.path.join(kit, n) for n in (name, 'files', 'manifest'))
    was, listing, manifest = (open(p, 'rb').read() for p in (path, list_path, manifest_path))
    old, new = (f'{digest(b).hex()} {len(b)} {name}\n'.encode() for b in (was, content))
    assert listing.count(old) == 1 and manifest.count(digest(listing)) == 1
    changed = listing.replace(old, new)
    manifest = manifest.replace(digest(listing), digest(changed))
    if name == 'flat':
        names = [struct.pack('<Q', len(b)) + digest(b) for b in (was, content)]
        assert manifest.count(names[0]) == 1
        manifest = manifest.replace(*names)
    open(path, 'wb').write(content)
    open(list_path, 'wb').write(changed)
    open(manifest_path, 'wb').write(manifest)


def test_bad_pieces(root, kit):
    """Kits that are whole by their lists, with pieces that no linker should see."""
    flat = open(os.path.join(kit, 'flat'), 'rb').read()
    names = open(os.path.join(kit, 'names'), 'rb').read()
    rows = [('flat', b'X' + flat[1:], 'the magic number is wrong'),
            ('flat', flat[:-1], 'do not come to the size of the file'),
            ('flat', flat[:24] + b'other' + flat[29:], 'the flat kit is one of other'),
            ('flat', flat[:48] + b'\x01' + flat[49:], 'the kit was made for recipe 1 of layouts'),
            ('names', names[:len(names) // 2], "the file 'names' has no line for each piece")]
    for name, content, words in rows:
        copy = os.path.join(root, 'pieces.kit')
        shutil.copytree(kit, copy)
        replace_file(copy, name, content)
        out = os.path.join(root, 'z.payload')
        text = luforge('variant', '--kit', copy, '--seed', '0' * 64, '--out', out, '--map', out + '.map', code=2)
        assert words in text and not os.path.exists(out), text
        shutil.rmtree(copy)


def test_tampered_kit(root, kit):
    """What does not belong into a kit, and what is no file."""
    copy = os.path.join(root, 'tampered.kit')
    shutil.copytree(kit, copy)
    out = os.path.join(root, 'y.payload')
    args = ('variant', '--kit', copy, '--seed', '0' * 64, '--out', out)
    for extra in ('more', '..more', 'objects/'):
        path = os.path.join(copy, extra)
        os.mkdir(path) if extra[-1] == '/' else open(path, 'w').close()
        assert extra.rstrip('/') + ": not in the kit's list" in luforge(*args, code=2)
        os.rmdir(path) if extra[-1] == '/' else os.unlink(path)
    state = os.path.join(copy, 'state')
    os.rename(state, os.path.join(root, 'aside'))
    os.symlink(os.path.join(root, 'aside'), state)
    assert 'state: a link' in luforge(*args, code=2)
    os.unlink(state)
    os.mkfifo(state)
    assert 'state: not a regular file' in luforge(*args, code=2)
    assert 'state: not a regular file' in luforge('state', copy, code=2)
    os.unlink(state)
    os.rename(os.path.join(root, 'aside'), state)
    luforge(*args)
    for wrong in (['--release', 'ab' * 64], ['--root', kit + '/recipe', '--release', 'ab'], ['--root', kit + '/none'],
                  ['--root', '/dev/zero'], ['--root', kit + '/recipe']):
        luforge(*args, *wrong, code=1 if wrong[0] == '--release' else 2)


def things(root):
    """Paths where something is that is no regular file."""
    place = os.path.join(root, 'things')
    os.mkdir(place)
    target = os.path.join(place, 'target')
    open(target, 'w').write('precious')
    os.mkdir(os.path.join(place, 'dir'))
    open(os.path.join(place, 'dir', 'mine'), 'w').write('precious')
    os.mkdir(os.path.join(place, 'dir', 'objects'))
    open(os.path.join(place, 'dir', 'objects', 'mine'), 'w').write('precious')
    os.mkfifo(os.path.join(place, 'fifo'))
    os.symlink(target, os.path.join(place, 'link'))
    os.symlink(os.path.join(place, 'none'), os.path.join(place, 'dangling'))
    yield from (os.path.join(place, name) for name in ('dir', 'fifo', 'link', 'dangling'))
    yield '/dev/null'


def test_outputs(root, kit, objects):
    """What is no regular file is not replaced, nor is a directory that is no kit."""
    listing, program = os.path.join(root, 'empty.list'), os.path.join(root, 'any')
    open(listing, 'w').close()
    for path in things(root):
        was = os.lstat(path)
        for args in (['variant', '--kit', kit, '--seed', '0' * 64, '--out', path],
                     ['image', '--out', path, listing], ['state', '--elf', program, '--out', path],
                     kit_args(os.path.dirname(kit), path, *objects)):
            told = luforge(*args, code=2)
            assert 'replace' in told, (path, told)
        now = os.lstat(path)
        assert (was.st_ino, was.st_mode, was.st_rdev) == (now.st_ino, now.st_mode, now.st_rdev), path
    place = os.path.join(root, 'things')
    for name in ('target', 'dir/mine', 'dir/objects/mine'):
        assert open(os.path.join(place, name)).read() == 'precious'
    left = [f for f in os.listdir(place) + os.listdir(root) if f.endswith('.tmp')]
    assert not left, left
    # A kit, an empty directory and nothing are replaced; nothing of an older kit stays.
    again = os.path.join(place, 'again.kit')
    os.mkdir(again)
    for _ in range(3):
        luforge(*kit_args(os.path.dirname(kit), again, *objects))
        assert not os.path.exists(again + '/manifest.signed')
        open(again + '/manifest.signed', 'w').close()


def test_cache(root, kit, objects):
    """What was cut off, altered or lost in the cache is made anew, and is in no kit."""
    cache, out = os.path.join(root, 'damaged'), os.path.join(root, 'cached.kit')
    args = kit_args(os.path.dirname(kit), out, '--cache', cache, *objects)
    luforge(*args)
    flat = open(out + '/flat', 'rb').read()
    entries = [os.path.join(cache, f) for f in os.listdir(cache) if not f.endswith('.uses')]
    assert len(entries) == 6
    for i, path in enumerate(sorted(entries)):
        data = open(path, 'rb').read()
        os.unlink(path)
        if i > 0:
            open(path, 'wb').write(data[:-1] if i == 1 else data[:80] + bytes([data[80] ^ 1]) + data[81:])
        luforge(*args)
        assert open(path, 'rb').read() == data and open(out + '/flat', 'rb').read() == flat


def test_links(root, kit, objects):
    """Where others may write, too: a link under the name in which a kit is made is not followed, into or out of."""
    directory = os.path.join(root, 'shared')
    theirs = os.path.join(root, 'theirs')
    os.mkdir(directory)
    os.makedirs(os.path.join(theirs, 'sub'))
    for name in ('a', 'sub/b'):
        open(os.path.join(theirs, name), 'w').close()
    out = os.path.join(directory, 'k.kit')
    for where in (out + '.$$.tmp', None):
        link = f'ln -s "$1" "{where}"' if where else f'mkdir {out}.$$.tmp && ln -s "$1" {out}.$$.tmp/sub'
        r = subprocess.run(['sh', '-c', link + '; shift; exec "$@"', 'sh', theirs, LUFORGE,
                            *kit_args(os.path.dirname(kit), out, *objects)], capture_output=True, text=True)
        assert tree(theirs) == ['a', 'sub/b']
        assert r.returncode == (3 if where else 0) and os.path.exists(out) != bool(where), r.stderr


def test_inputs(root, kit):
    """Inputs that never end, and options that are there twice."""
    for args in (['inspect', '/dev/zero'], ['state', '/dev/zero'], ['image', '--out', root + '/i', '/dev/zero'],
                 kit_args(os.path.dirname(kit), root + '/zero.kit', '/dev/zero')):
        assert 'not a regular file' in luforge(*args, code=2), args
    for args in (['variant', '--kit', kit, '--seed', '0' * 64, '--out', 'x', '--seed', '1' * 64],
                 ['image', '--out', 'x', '--cmdline', 'a', '--cmdline', 'a', 'y'],
                 kit_args(root, 'x.kit', '--out', 'y.kit', 'a.o')):
        assert 'is there twice' in luforge(*args, code=1), args


def main():
    with tempfile.TemporaryDirectory() as root:
        test_path(root)
        test_refusals(root)
    print('ok')


main()
