#pragma once
/*
 * What a service may not bring along: library objects that keep state nobody
 * transfers, and code that enters the kernel other than through the gate page.
 * A reviewed list names the exceptions and why each is harmless.
 */
#include "forge/elf/archive.h"

/*
 * Judge everything that is in the linked program. The list has lines
 * "writable SYMBOL WHY..." and "syscall FUNCTION WHY..."; NULL: no exceptions.
 * Every finding is reported before the answer is negative.
 */
int review_run(
        const struct object_list *objects, const struct elf_file *linked, const char *list_path);
