#!/usr/bin/env python3
"""What a kit takes stays, with its debug data; everything else goes."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import prune  # noqa: E402


def main():
    with tempfile.TemporaryDirectory() as d:
        def put(name, text=''):
            with open(os.path.join(d, name), 'w', encoding='ascii') as f:
                f.write(text)

        for key in 'abcd':
            put(key + '.o')
            put(key + '.debug.o')
            put(key + '.sum')
        put('one.kit.uses', 'a.o\nb.o\n')
        put('two.kit.uses', 'b.o\n')
        put('gone.kit.uses', 'c.o\n')
        prune.prune(d, ['one.kit', 'two.kit'])
        assert sorted(os.listdir(d)) == ['a.debug.o', 'a.o', 'a.sum', 'b.debug.o', 'b.o', 'b.sum', 'one.kit.uses', 'two.kit.uses']
        put('one.kit.uses', 'd.o\n')
        try:
            prune.prune(d, ['one.kit', 'three.kit'])
            raise AssertionError('a kit without a list')
        except FileNotFoundError:
            assert os.path.exists(os.path.join(d, 'a.o'))


if __name__ == '__main__':
    main()
