#pragma once
/*
 * What a service may not bring along: library objects that keep state nobody
 * transfers, and code that enters the kernel other than through the gate page.
 * A reviewed list names the exceptions and why each is harmless.
 */
#include "forge/base/names.h"
#include "forge/elf/archive.h"

/*
 * The reviewed list: lines KIND SYMBOL WHY. Of library objects: `writable`, keeps state that may
 * be lost; `constant`, is never written at all, and so goes into read-only memory. Of functions:
 * `syscall`. Values are line numbers.
 */
struct review_list {
	struct buf text; /* the names lie here; owned */
	struct names writable, constant, syscall;
};

/* Read a list; NULL: nothing is excepted. */
int review_list_read(struct review_list *ret_list, const char *path);
void review_list_fini(struct review_list *list);

/*
 * Judge everything that is in the linked program. Every finding is reported before the answer is
 * negative.
 */
int review_run(const struct object_list *objects, const struct elf_file *linked,
        const struct review_list *list);
