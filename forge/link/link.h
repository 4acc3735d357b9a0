#pragma once
/* Running the linker, and its result as a flat payload. */
#include <stddef.h>
#include <stdint.h>

#include "forge/elf/file.h"

struct link_job {
	const char *work_dir;       /* for the script, the order and the output */
	const char *const *objects; /* paths, in link order */
	size_t n_objects;
	const struct buf *script;
	const struct buf *order; /* for --symbol-ordering-file; NULL: as the objects have it */
};

/* Link and load the result. Its label is "the linked program". */
int link_run(const struct link_job *job, struct elf_file *ret_linked);
