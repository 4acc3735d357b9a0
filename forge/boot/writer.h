#pragma once
/* Putting a boot image together (proto/image/image.h) from a list of parts. */
#include "forge/base/mem.h"
#include "proto/image/image.h"

struct boot_writer {
	struct boot_header header;
	struct boot_source {
		struct boot_entry entry;
		struct buf manifest, state, payload, envelope;
		char *kit, *release; /* from the list; owned, NULL when not given */
	} *entries;                  /* owned */
	size_t n_entries, capacity;
	struct buf root, statement;
};

void boot_writer_fini(struct boot_writer *w);

/* Read a list: the format is described in forge/README.md. */
int boot_writer_read_list(struct boot_writer *w, const char *path);

/*
 * Set one of the header's values from text: key is machine_id, random_seed,
 * boot_time, cmdline, root or statement. `where` is for the message when it is invalid.
 */
int boot_writer_set(struct boot_writer *w, const char *where, const char *key, const char *value);

/* Write and check the image. */
int boot_writer_finish(struct boot_writer *w, struct buf *ret_image);
