#!/usr/bin/env python3
"""Each hole of the table of arrows, shut: a small tree that breaks one rule, and what is found."""
import unittest

import arrows

TABLE = ['base ->', 'low -> base', 'high -> base low =version.h', 'tests/system -> tests/lab', 'tests/lab ->']
CLEAN = {
    **{f'{room}/README.md': '' for room in ('base', 'low', 'high', 'tests/lab', 'tests/system')},
    'base/a.h': '',
    'low/priv.h': '#include "base/a.h"\n',
    'low/test/low_test.c': '#include "low/priv.h"\n',
    'high/b.c': '#include <stdio.h>\n#include "low/c.h"\n#include "base/a.h"\n#include "version.h"\n',
    'low/c.h': '',
    'tests/lab/lab.py': 'import os\n',
    'tests/system/run': '#!/usr/bin/env python3\nimport lab\n',
    'tests/system/cases.py': 'import os\n',
}


def rules(more, table=TABLE):
    return [(rule, where) for rule, where, _ in arrows.check({**CLEAN, **more}, arrows.read_table(table))]


class Arrows(unittest.TestCase):
    def expect(self, rule, path, text, table=TABLE):
        self.assertIn((rule, path), rules({path: text, 'low/e.proto': ''}, table))

    def test_clean_tree(self):
        self.assertEqual(rules({}), [])

    def test_upwards(self):
        self.assertIn(('arrow', 'low/d.c'), rules({'low/d.c': '#include "high/e.h"\n', 'high/e.h': ''}))

    def test_row_does_not_cover_rooms_below(self):
        self.assertIn(('room', 'base/deep'), rules({'base/deep/f.h': ''}))
        table = [*TABLE, 'base/deep ->']
        self.assertIn(('arrow', 'low/d.c'),
                      rules({'base/deep/f.h': '', 'low/d.c': '#include "base/deep/f.h"\n'}, table))

    def test_private_header(self):
        self.expect('private', 'high/d.c', '#include "low/priv.h"\n')
        self.expect('private', 'high/test/d.c', '#include "low/priv.h"\n')

    def test_overlay_is_in_the_room_that_it_replaces(self):
        self.assertEqual(rules({'tests/releases/r/low/d.c': '#include "low/priv.h"\n'}), [])
        self.expect('private', 'tests/releases/r/high/d.c', '#include "low/priv.h"\n')

    def test_roundabout_paths(self):
        for text in ('#include "../high/priv.h"\n', '#include "a.h"\n', '#include <base/a.h>\n', '#include NAME\n',
                     '  #  include "version.h"\n', '#include "base/missing.h"\n'):
            self.expect('path', 'low/d.c', text)

    def test_definition_files_and_assembly_count(self):
        for path in ('base/d.def', 'base/d.S', 'base/d.h'):
            self.expect('arrow', path, '#include "low/c.h"\n')

    def test_schema(self):
        self.expect('arrow', 'base/d.proto', 'package d;\nimport "low/e.proto";\n')

    def test_declared_by_hand(self):
        self.expect('extern', 'high/d.c', 'extern int low_state;\n')
        self.assertEqual(rules({'high/d.c': 'extern char image_start[];\n'}), [])

    def test_python_module(self):
        self.expect('arrow', 'tests/lab/more.py', 'import cases\n')
        self.expect('arrow', 'tests/lab/more', '#!/usr/bin/env python3\nfrom cases import x\n')

    def test_cycle(self):
        table = ['base -> low', *TABLE[1:]]
        self.assertIn(('cycle', 'base'), rules({'base/d.h': '#include "low/c.h"\n'}, table))

    def test_readme(self):
        self.assertEqual(rules({'base/deep/f.h': ''}, [*TABLE, 'base/deep ->']), [('room', 'base/deep')])

    def test_rows(self):
        self.assertIn(('room', 'gone'), rules({}, [*TABLE, 'gone ->']))
        self.assertIn(('room', 'base'), rules({}, ['base -> gone', *TABLE[1:]]))
        self.assertIn(('arrow', 'tools/lint/deps'), rules({}, ['base -> tests/lab', *TABLE[1:]]))


if __name__ == '__main__':
    unittest.main()
