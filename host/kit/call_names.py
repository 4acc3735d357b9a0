#!/usr/bin/env python3
"""Names of kernel calls by number, for programs that show rights. Usage: call_names.py CALLS.DEF"""
import re
import sys

with open(sys.argv[1], encoding='ascii') as f:
    for number, name in re.findall(r'^KCALL\((0x[0-9a-f]+), (\w+),', f.read(), re.M):
        print('\t[%d] = "%s",' % (int(number, 16) - 0x1000, name))
