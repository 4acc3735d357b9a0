#!/usr/bin/env python3
"""Each rule of uniform.py: what it finds, and what it lets pass."""
import unittest

import uniform

FILLED = '\n'.join(['/* why */', 'int a;'] * 100)


def found(path, text, waived=()):
    return [(rule, where) for rule, where, _ in uniform.check({path: text}, waived)]


class Uniform(unittest.TestCase):
    def test_prefix(self):
        for name in ('slot_end', 'kernel_end', 'list_of'):
            self.assertEqual(found('kernel/slot_list.c', f'static int {name}(void)\n{{\n}}\n'), [])
        self.assertEqual(found('kernel/slot_list.c', 'static int end(void)\n{\n}\n'), [('prefix', 'kernel/slot_list.c:end')])

    def test_halves_of_a_kernel_call(self):
        self.assertEqual(found('call/do_swap.c', 'static err_t check_swap(void)\n{\n}\n'), [])
        self.assertEqual(found('call/swap.c', 'static err_t check_swap(void)\n{\n}\n'), [('prefix', 'call/swap.c:check_swap')])

    def test_enum(self):
        self.assertEqual(found('a/b.h', 'enum e {\n\tE_A,\n\tE_B,\n};\n'), [('enum', 'a/b.h:e')])
        self.assertEqual(found('a/b.h', 'enum e {\n\tE_A, /* = 0 */\n};\n'), [('enum', 'a/b.h:e')])
        self.assertEqual(found('a/b.h', 'enum e {\n\tE_A,\n\t_E_N,\n};\n'), [])
        self.assertEqual(found('a/b.h', 'enum e {\n\tE_A = 1 << 0,\n};\n'), [])

    def test_unused(self):
        self.assertEqual(found('a/b.c', '\t(void)argument;\n'), [('unused', 'a/b.c')])
        self.assertEqual(found('a/b.c', '\t(void)close(fd);\n'), [])

    def test_comments(self):
        bare = 'int a;\n' * uniform.LINES_LEAST
        seventh = '/* why */\n' + 'int a;\n' * 6
        self.assertEqual(found('a/b.c', bare), [('comments', 'a'), ('comments', '.')])
        self.assertEqual(found('a/b.c', bare, {'a'}), [('comments', 'a')])
        self.assertEqual(found('a/b.c', seventh * 30), [('comments', '.')])
        self.assertEqual(found('a/b.c', FILLED), [])
        self.assertEqual(found('a/b.c', 'int a;\n'), [])
        self.assertEqual(uniform.count_comments('/* one\n\n * two */\nint a; /* three */\nint b;\n// four\n'), (4, 5))

    def test_tests_are_left_alone(self):
        for path in ('a/b_test.c', 'a/test/b.c', 'a/fuzz/b.c', 'osd/suites/a/b.c'):
            self.assertEqual(found(path, 'static int end(void)\n{\n}\n' + 'int a;\n' * uniform.LINES_LEAST), [])


if __name__ == '__main__':
    unittest.main()
