#pragma once
/*
 * Putting a boot image together (proto/image/image.h) from a list of parts:
 *
 *     zeroed writer -> boot_writer_read_list -> boot_writer_set, for each option ->
 * boot_writer_finish
 *
 * Every failure is reported where it is found and comes back as a negative errno. The writer is
 * then good for boot_writer_fini() only, which takes it in any state.
 */
#include "forge/base/mem.h"
#include "proto/image/image.h"

struct boot_writer {
	struct boot_header header; /* offsets are filled in by boot_writer_finish() */
	struct boot_source {
		struct boot_entry entry;
		struct buf manifest, state, flat; /* of the kit; owned */
		struct buf payload, envelope;     /* owned */
		char *kit, *release;              /* from the list; owned, NULL when not given */
	} *entries;                               /* owned */
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

/*
 * Read the kits, check the parts against each other and the image as a whole, and hand it out.
 * *ret_image, untouched on failure, belongs to the caller.
 */
int boot_writer_finish(struct boot_writer *w, struct buf *ret_image);
